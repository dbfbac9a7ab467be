// Tidies up after a step whose launcher was killed: ends what still runs, and removes the folder with the key.

import { spawnSync } from 'node:child_process';
import { existsSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

import { findBinary } from './binary.mjs';
import { warn } from './runner.mjs';

/**
 * `patience` is how long the program may take to end by itself, `whole` how long all of it may take, in milliseconds.
 * The folder is gone afterwards, whatever happens: it holds the key.
 */
export async function tidy({ patience, whole }) {
  const { STATE_folder: folder, STATE_pid: pid, STATE_binary: binary } = process.env;
  if (!folder || !existsSync(folder) || !isOurs(folder)) {
    return;
  }
  const begun = Date.now();
  try {
    await end(binary, Number(pid), begun + patience);
    settle(folder, begun + whole);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Calls the program off, if it still runs, and kills it when it has not ended by `until`. */
async function end(binary, pid, until) {
  const called = send(binary, pid, 'SIGTERM');
  console.log('The step was killed. Tidying up after it.');
  if (!called) {
    return;
  }
  while (runs(binary, pid) && Date.now() < until) {
    await pause(100);
  }
  // The runner would kill it soon, and nobody would look after what it has made live.
  if (send(binary, pid, 'SIGKILL')) {
    console.log(`Process ${pid} had not ended, and was killed as well.`);
  }
  // The signal takes a moment.
  for (const last = Date.now() + 1_000; runs(binary, pid) && Date.now() < last; ) {
    await pause(10);
  }
}

/**
 * Has the program look after what it was killed over: a release that is live is proven or taken back, and GitHub hears
 * the end. It finds in the folder what that was; nothing when it came to its end after all.
 */
function settle(folder, until) {
  if (!existsSync(join(folder, 'deployment.json'))) {
    return;
  }
  // Found anew and not taken from the state: what gets the key is proven to be the program once more.
  const found = findBinary(process.env);
  if (found.error) {
    return warn(`nobody looks after what was killed: ${found.error}`);
  }
  const { error } = spawnSync(found.path, [], {
    env: { ...process.env, CUTOVER_PRIVATE_DIR: folder, CUTOVER_AFTER: 'yes' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: Math.max(until - Date.now(), 1),
    killSignal: 'SIGKILL',
  });
  if (error) {
    warn(`what was killed is not settled (${error.message}); the next deployment goes on from what is on the hosts`);
  }
}

/** Only what `main` makes is removed, whatever the state says. */
function isOurs(path) {
  const temporary = realpathSync(process.env.RUNNER_TEMP || tmpdir());
  return realpathSync(dirname(resolve(path))) === temporary && basename(path).startsWith('cutover-step-');
}

/** Whether the process was there to get the signal. */
function send(binary, pid, signal) {
  try {
    return runs(binary, pid) && process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

/** Whether the process is still the one that `main` has started, and not another with its number. */
function runs(binary, pid) {
  try {
    // A later step may have built the program anew, or removed it.
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '') === binary;
  } catch {
    return false;
  }
}
