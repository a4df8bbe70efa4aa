// Owns what a server must do wherever it runs. Each check returns what is wrong, or nothing. Knows nothing of how the server was started.
import { connect } from '../../client/src/node.js';
import { childrenOf, isAlive, processesWith } from '../../test/support/process-table.js';
import { until } from '../../test/support/until.js';
import { imageVariables } from './runtime-server.mjs';

const STREAM_BYTES = 4 * 1024 * 1024;
const TIMEOUT_CODE = 124;

let numbers = 700_000;

/** A number of seconds for `sleep` that no other process has, by which the process is found. */
function ownNumber() {
  numbers += 1;
  return String(numbers);
}

/** @param {import('./runtime-roots.mjs').Root} root */
const inShell = (root, script) => [...root.shell, script.replaceAll('@', root.tool === '' ? '' : `${root.tool} `)];

const differs = (seen, wanted) =>
  seen === wanted ? undefined : `${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`;

/** @type {Record<string, (box: import('../../client/src/node.js').Box, root: import('./runtime-roots.mjs').Root) => Promise<string | undefined>>} */
const CHECKS = {
  'real pipes, both streams, exit code': async (box, root) => {
    const argv = inShell(root, 'echo out > /dev/stdout; echo err > /dev/stderr; exit 3');
    const { stdout, stderr, exitCode } = await box.exec(argv, { reject: false });
    return differs(`${stdout} ${stderr} ${exitCode}`, 'out err 3');
  },
  'a stream of 4 MB is whole': async (box, root) => {
    const { stdout } = await box.exec(inShell(root, `@head -c ${STREAM_BYTES} /dev/zero`), { encoding: 'bytes' });
    return differs(stdout.length, STREAM_BYTES) ?? (stdout.every((byte) => byte === 0) ? undefined : 'bytes differ');
  },
  'a terminal with its size, and another size': async (box, root) => {
    const argv = inShell(root, '@stty size; read line; @stty size; @tty');
    const terminal = box.terminal(argv, { rows: 30, cols: 100 });
    await terminal.waitFor('30 100');
    await terminal.resize({ rows: 40, cols: 120 });
    await terminal.write('\n');
    await terminal.waitFor('40 120');
    await terminal.waitFor('/dev/pts/');
    return differs((await terminal.result).exitCode, 0);
  },
  'a kill reaches the whole tree': async (box, root) => {
    const number = ownNumber();
    const run = box.exec(inShell(root, `@setsid @sleep ${number} & @sleep ${number} & echo started; wait`), {
      reject: false,
    });
    await run.waitFor('started');
    await until('both run', () => processesWith(number).length >= 2);
    await run.kill('SIGKILL');
    await run;
    await until('the tree is gone', () => processesWith(number).length === 0);
    return undefined;
  },
  'a timeout is told by 124': async (box, root) => {
    const argv = inShell(root, `@sleep ${ownNumber()}`);
    return differs((await box.exec(argv, { timeout: 200, reject: false })).exitCode, TIMEOUT_CODE);
  },
  "commands get the image's variables, and none of the folder's": async (box, root) => {
    const wanted = imageVariables(root);
    const { stdout } = await box.exec(inShell(root, '@env'));
    const variables = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s)));
    const ours = Object.keys(variables).filter((name) => /^EXECWIRE_(?!COMMAND_ID$)|^LD_LIBRARY/.test(name));
    const missing = Object.keys(wanted).filter((name) => variables[name] !== wanted[name]);
    return ours.length + missing.length === 0 ? undefined : `ours: ${ours}; missing: ${missing}`;
  },
};

/** Of the one root that has it. */
const OWN_CHECKS = {
  'debian with python3': {
    'python3 runs': async (box) => differs((await box.exec(['python3', '-c', 'print(sum(range(5)))'])).stdout, '10'),
  },
  'busybox and musl': {
    'a program of musl runs with its preloaded library': async (box, root) =>
      differs((await box.exec(['value', 'LD_PRELOAD'])).stdout, imageVariables(root).LD_PRELOAD),
  },
};

/**
 * @param {string} url
 * @param {import('./runtime-roots.mjs').Root} root
 * @returns {Promise<string[]>} problems
 */
export async function serverProblems(url, root) {
  const box = await connect(url, { name: 'runtime-test' });
  const problems = [];
  for (const [name, problemOf] of Object.entries({ ...CHECKS, ...OWN_CHECKS[root.name] })) {
    const problem = await problemOf(box, root).catch((error) => error.message);
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
  }
  await box.close();
  return problems;
}

/** A drain lets a command finish, and ends with 0. @param {import('../../test/support/server-process.js').ServerProcess} server @returns {Promise<string[]>} */
export async function drainProblems(server, root) {
  const box = await connect(server.url, { name: 'runtime-test', reconnect: false });
  const run = box.exec(inShell(root, 'echo started; @sleep 1; echo done'), { reject: false });
  await run.waitFor('started');
  const stopped = server.stop();
  const { stdout } = await run;
  const { code, signal } = await stopped;
  await box.close();
  return [differs(stdout, 'started\ndone'), differs(signal ?? code, 0)].filter((problem) => problem !== undefined);
}

/** Nothing survives the server's death by SIGKILL, a process that has left its session and its terminal neither. @returns {Promise<string[]>} */
export async function crashProblems(server, root) {
  const number = ownNumber();
  const box = await connect(server.url, { name: 'runtime-test', reconnect: false });
  const script = `trap '' HUP; @setsid @sleep ${number} & @sleep ${number} & echo started; wait`;
  const terminal = box.terminal(inShell(root, script), { detachable: false });
  await terminal.waitFor('started');
  await until('both run', () => processesWith(number).length >= 2);
  const [node] = childrenOf(server.pid);
  process.kill(node, 'SIGKILL');
  await Promise.allSettled([terminal.result, box.close(), server.exited]);
  const left = () => processesWith(number).filter(isAlive);
  return until('nothing is left of the command', () => left().length === 0).then(
    () => [],
    () => [`left: ${left()}`],
  );
}

/** Commands run as another user with all groups, with what the loader of a C library reads. @returns {Promise<string[]>} */
export async function runAsProblems(url, root) {
  const box = await connect(url, { name: 'runtime-test' });
  const env = { LD_LIBRARY_PATH: '/nowhere', TMPDIR: '/' };
  const script = '@id -u; @id -g; @id -G; echo $LD_LIBRARY_PATH $TMPDIR';
  const problems = [];
  for (const way of ['pipes', 'terminal']) {
    const argv = inShell(root, script);
    const { exitCode, output } =
      way === 'pipes'
        ? await box.exec(argv, { env, reject: false }).then(({ stdout, ...rest }) => ({ ...rest, output: stdout }))
        : await box.terminal(argv, { env }).result.then(({ stdout, ...rest }) => ({ ...rest, output: stdout }));
    const seen = `${output.trim().replaceAll('\r', '').split('\n')} ${exitCode}`;
    const problem = differs(seen, '1001,1001,1001 1002,/nowhere / 0');
    if (problem !== undefined) problems.push(`on ${way}: ${problem}`);
  }
  const missing = await box.exec(['/no/such/program'], { reject: false }).then(
    ({ exitCode }) => `it ended with ${exitCode}`,
    (error) => (error.reason === 'spawnFailed' ? undefined : error.message),
  );
  await box.close();
  return missing === undefined ? problems : [...problems, `a missing program: ${missing}`];
}
