// Owns the check of the systemd unit: systemd's own verdict where it is installed, and its ExecStart run as it is written.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerProcess } from '../../test/support/server-process.js';
import { run } from './command.mjs';
import { probe } from './probe.mjs';
import { durationSeconds, MARGIN_SECONDS } from './reference-checks.mjs';
import { check, checkCaught } from './report.mjs';
import { findProgram } from './requirements.mjs';

/** The exposure level of `systemd-analyze security`: 0 is best, 10 is worst. A server that runs untrusted commands must stay below "medium". */
const MAX_EXPOSURE = 3;

const settings = (text) =>
  Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));

async function systemdVerdict(text, workFolder) {
  if (findProgram('systemd-analyze') === undefined) {
    console.log('  --   systemd-analyze is not installed: the unit is only run, not verified');
    return;
  }
  // Node stands in for execwire, which is not installed here; everything else is verified as it is.
  const file = join(workFolder, 'execwire.service');
  await writeFile(file, text.replace('/usr/bin/execwire', process.execPath));
  const verify = await run(['systemd-analyze', 'verify', '--man=no', file], { check: false });
  check('systemd-analyze verify reports nothing', verify.code === 0 && verify.stderr === '', verify.stderr.trim());
  const security = await run(['systemd-analyze', 'security', '--offline=true', '--no-pager', file], { check: false });
  const exposure = Number(/exposure level for .*: ([\d.]+)/.exec(security.stdout)?.[1]);
  check(`its exposure level is at most ${MAX_EXPOSURE}`, exposure <= MAX_EXPOSURE, exposure);
  await checkFilter(text);
}

/** Calls by which a thread restricts itself, and by which commands are started under a policy (`src/process/sandbox/kernel-calls.ts`). */
const SANDBOX_CALLS = [
  ...['landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self'],
  ...['prctl', 'capset', 'openat2', 'faccessat2', 'gettid', 'clone', 'clone3', 'setfsuid', 'setfsgid', 'close_range'],
];

/** Names of the calls of a set, as `systemd-analyze syscall-filter` lists them, with the sets inside of it. */
async function callsOf(set) {
  const { stdout } = await run(['systemd-analyze', 'syscall-filter', '--no-pager', set]);
  const words = stdout.split('\n').flatMap((line) => /^ {4}([@\w-]+)/.exec(line)?.[1] ?? []);
  const nested = await Promise.all(words.map((word) => (word.startsWith('@') ? callsOf(word) : [word])));
  return nested.flat();
}

/** @returns {Promise<string[]>} calls that a sandbox needs and the unit's filter refuses */
async function refusedSandboxCalls(text) {
  const words = [...text.matchAll(/^SystemCallFilter=(.*)$/gm)].flatMap(([, value]) => value.split(' '));
  if (words.some((word) => word.startsWith('~'))) throw new Error('this check knows lists of what is allowed only');
  const allowed = new Set(
    (await Promise.all(words.map((word) => (word.startsWith('@') ? callsOf(word) : [word])))).flat(),
  );
  return SANDBOX_CALLS.filter((call) => !allowed.has(call));
}

async function checkFilter(text) {
  const refused = await refusedSandboxCalls(text);
  check('its SystemCallFilter lets sandbox policies work', refused.length === 0, refused.join(' '));
  const without = text.replace(/^SystemCallFilter=landlock.*$/m, '');
  checkCaught('in the unit, a filter without Landlock', await refusedSandboxCalls(without));
}

/** @param {{ projectFolder: string, workFolder: string }} folders */
export async function checkSystemdUnit({ projectFolder, workFolder }) {
  const text = await readFile(join(projectFolder, 'deploy/systemd/execwire.service'), 'utf8');
  await systemdVerdict(text, workFolder);
  const unit = settings(text);
  const argv = unit.ExecStart.split(' ');
  check("clients' files are closed to other users", unit.StateDirectoryMode === '0700', unit.StateDirectoryMode);
  const least =
    durationSeconds(argv, '--drain-delay') +
    durationSeconds(argv, '--drain-timeout') +
    durationSeconds(argv, '--kill-grace') +
    MARGIN_SECONDS;
  check(
    'TimeoutStopSec covers the drain',
    Number(unit.TimeoutStopSec) >= least,
    `${unit.TimeoutStopSec} s, needed ${least} s`,
  );

  const cwd = join(workFolder, 'systemd');
  await mkdir(cwd, { recursive: true });
  const token = join(cwd, 'token');
  await writeFile(token, 'unit-test-token\n', { mode: 0o600 });
  const places = {
    '/usr/bin/execwire': [process.execPath, join(projectFolder, 'dist/execwire.cjs')],
    'ws://127.0.0.1:8080': ['ws://127.0.0.1:0'],
    '/etc/execwire/token': [token],
    '5s': ['0s'],
  };
  const replica = await ServerProcess.start({ argv: argv.flatMap((word) => places[word] ?? [word]), cwd });
  check('its ExecStart serves', (await probe(`${replica.httpUrl}/readyz`)) === 200);
  check('SIGTERM ends it with exit code 0', (await replica.stop()).code === 0);
}
