// Tidies up after a step whose launcher was killed: ends what still runs, and removes the folder with the key.

import { spawnSync } from 'node:child_process';
import { existsSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

import { findBinary } from './binary.mjs';

/** A deployment that is past its swap is brought to its end or taken back first, which takes a while. */
const PATIENCE_MS = 60_000;

const { STATE_folder: folder, STATE_pid: pid, STATE_binary: binary } = process.env;

if (folder && existsSync(folder) && isOurs(folder)) {
  console.log('The step was killed. Tidying up after it.');
  if (runs()) {
    process.kill(Number(pid), 'SIGTERM');
    const until = Date.now() + PATIENCE_MS;
    while (runs() && Date.now() < until) {
      await pause(100);
    }
    if (runs()) {
      console.log(`::warning title=cutover::process ${pid} still ends a deployment; it can no longer open connections`);
    }
  }
  settle();
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Has the program look after what it was killed over: a release that is live is proven or taken back, and GitHub hears
 * the end. It finds in the folder what that was; nothing when it came to its end after all.
 */
function settle() {
  if (runs() || !existsSync(join(folder, 'deployment.json'))) {
    return;
  }
  // Found anew and not taken from the state: what gets the key is proven to be the program once more.
  const found = findBinary(process.env);
  if (found.path) {
    const env = { ...process.env, CUTOVER_PRIVATE_DIR: folder, CUTOVER_AFTER: 'yes' };
    spawnSync(found.path, [], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  }
}

/** Only what `main` makes is removed, whatever the state says. */
function isOurs(path) {
  const temporary = realpathSync(process.env.RUNNER_TEMP || tmpdir());
  return realpathSync(dirname(resolve(path))) === temporary && basename(path).startsWith('cutover-step-');
}

/** Whether the process is still the one that `main` has started, and not another with its number. */
function runs() {
  try {
    return realpathSync(binary) === readlinkSync(`/proc/${Number(pid)}/exe`);
  } catch {
    return false;
  }
}
