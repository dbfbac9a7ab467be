// Starts cutover-action, hands signals on to it, and ends with its exit code.

import { spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir, constants } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { findBinary } from './binary.mjs';
import { fail, keep } from './runner.mjs';

const binary = findBinary(process.env);
if (binary.error) {
  fail(binary.error, 2);
}

// The key lies in here. The folder is remembered before anything is in it, so that `post` removes what a killed step
// has left behind.
const folder = mkdtempSync(join(process.env.RUNNER_TEMP || tmpdir(), 'cutover-step-'));
keep('folder', folder);

const child = spawn(binary.path, [], {
  env: { ...process.env, CUTOVER_PRIVATE_DIR: folder },
  stdio: ['ignore', 'inherit', 'inherit'],
});

// A runner that calls a job off signals only this process, and kills the rest ten seconds later.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal));
}

child.on('spawn', () => {
  keep('pid', String(child.pid));
  keep('binary', realpathSync(binary.path));
});
child.on('error', (error) => {
  rmSync(folder, { recursive: true, force: true });
  fail(`cannot start ${binary.path}: ${error.message}`, 1);
});
child.on('close', (code, signal) => {
  rmSync(folder, { recursive: true, force: true });
  if (signal) {
    fail(`cutover-action was ended by ${signal}; the next deployment goes on from what is on the hosts`, 128 + constants.signals[signal]);
  }
  process.exit(code);
});
