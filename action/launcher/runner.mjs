// What a runner is told.

import { appendFileSync } from 'node:fs';
import process from 'node:process';

/** Ends the step with a message that is shown beside the run. */
export function fail(message, exit) {
  annotate('error', message);
  process.exit(exit);
}

/** Tells of something that fails nothing. */
export function warn(message) {
  annotate('warning', message);
}

function annotate(kind, message) {
  const text = message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  console.log(`::${kind} title=cutover::${text}`);
}

/** Keeps a value of one line for `post`, where the runner can. */
export function keep(name, value) {
  if (process.env.GITHUB_STATE) {
    appendFileSync(process.env.GITHUB_STATE, `${name}=${value}\n`);
  }
}
