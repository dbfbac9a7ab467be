// Finds cutover-action. What lies beside the action is started only with the digest that is written next to it.

import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const BESIDE = join(dirname(fileURLToPath(import.meta.url)), '..', 'bin');

/** Returns `{ path }`, or `{ error }` with what to do. */
export function findBinary(env, beside = BESIDE) {
  const given = env.CUTOVER_ACTION_BIN || env.INPUT_BINARY?.trim();
  return given ? ofTheJob(resolve(env.GITHUB_WORKSPACE || '.', given)) : ofTheAction(beside);
}

function ofTheJob(path) {
  if (!canRun(path)) {
    return { error: `there is no program at ${path}, where the input \`binary\` leads to\n${howToBuild()}` };
  }
  return { path };
}

function ofTheAction(folder) {
  const path = join(folder, `cutover-action-${process.platform}-${process.arch}`);
  if (!existsSync(path)) {
    return {
      error: `this action has no cutover-action for ${process.platform}-${process.arch}: no release of it is published yet\n${howToBuild()}`,
    };
  }
  const digests = `${path}.sha256`;
  const wanted = existsSync(digests) ? readFileSync(digests, 'utf8').trim().split(/\s+/)[0].toLowerCase() : '';
  if (!/^[0-9a-f]{64}$/.test(wanted)) {
    return { error: `${digests} holds no SHA-256 digest, so ${path} cannot be trusted` };
  }
  const found = createHash('sha256').update(readFileSync(path)).digest('hex');
  if (found !== wanted) {
    return { error: `${path} is not what was published: its SHA-256 is ${found}, not ${wanted}` };
  }
  if (!canRun(path)) {
    return { error: `${path} may not be run: \`chmod +x\` is missing` };
  }
  return { path };
}

function howToBuild() {
  return (
    'Build it in an earlier step of the job, in a checkout of cutover (`cargo build --release -p cutover-action`), and ' +
    'give its path by the input `binary`: `binary: cutover/target/release/cutover-action`.'
  );
}

function canRun(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
