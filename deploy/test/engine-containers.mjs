// Owns what must hold of one container on a real engine, and the ways in which execwire gets into one, as the guides write them. Knows nothing of how an
// engine is started.
import { createHash } from 'node:crypto';
import { connect } from '../../client/src/node.js';
import { waitForStatus } from './probe.mjs';
import { check } from './report.mjs';

const PORT = 8081;
const TOKEN = 'deploy-test-token';
/** Of a stop: more than a drain may take. */
const STOP_SECONDS = 60;
const START_LIMIT_MS = 60_000;
const AUTH = ['--ws-auth', 'capability-token', '--ws-token-sha256', createHash('sha256').update(TOKEN).digest('hex')];
const DRAIN = ['--drain-timeout', '30s', '--kill-grace', '1s'];
/** As a careful operator runs it. */
const HARDENED = [
  ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  ...['--user', '1000:1000', '--tmpfs', '/tmp', '--publish', `127.0.0.1:${PORT}:8080`],
];

const differs = (what, seen, wanted) =>
  seen === wanted ? [] : [`${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`];

/** A command on pipes and one on a terminal; then the container is stopped under a third. @returns {Promise<string[]>} problems */
async function serviceProblems(engine, container) {
  const box = await connect(`ws://127.0.0.1:${PORT}`, { token: TOKEN, reconnect: false });
  const piped = await box.exec(['/bin/sh', '-c', 'echo out; exit 3'], { reject: false });
  const terminal = box.terminal(['/bin/sh', '-c', 'stty size 2>/dev/null || echo no stty; tty'], {
    rows: 30,
    cols: 100,
  });
  const { stdout: screen } = await terminal.result;
  const running = box.exec(['/bin/sh', '-c', 'echo started; sleep 1; echo done'], { reject: false });
  await running.waitFor('started');
  const stopped = engine.stop(container, STOP_SECONDS);
  const { stdout: whole } = await running;
  const code = await stopped;
  await box.close();
  return [
    ...differs('pipes', `${piped.stdout} ${piped.exitCode}`, 'out 3'),
    ...(screen.includes('/dev/pts/') ? [] : [`terminal: ${JSON.stringify(screen)}`]),
    ...differs('the reply during the stop', whole, 'started\ndone'),
    ...differs('exit code', code, 0),
  ];
}

/**
 * Runs one container through its life.
 * @param {import('./engine.mjs').Engine} engine
 * @param {string} way what is tried, in words
 * @param {{ argv: readonly string[], health?: (container: string) => Promise<string> }} options `argv`: options, image and words before the flags of
 *   `serve`; `health`: asks the engine for the container's health, where its image has a check
 */
export async function checkContainer(engine, way, { argv, health }) {
  const container = `way-${way.replaceAll(/\W+/g, '-')}`;
  const problems = [];
  try {
    await engine.start(container, [...HARDENED, ...argv, ...AUTH, ...DRAIN]);
    await waitForStatus(`http://127.0.0.1:${PORT}/readyz`, 200, { timeoutMs: START_LIMIT_MS });
    if (health !== undefined) problems.push(...differs('health', await health(container), 'healthy'));
    problems.push(...(await serviceProblems(engine, container)));
  } catch (error) {
    problems.push(error.message, await engine.logs(container));
    await engine.run(['rm', '--force', container], { check: false });
  }
  check(`${engine.name}, ${way}: runs, serves, drains with exit code 0`, problems.length === 0, problems.join('; '));
}

/**
 * The ways into an image that the guide has for one host.
 * @param {import('./engine.mjs').Engine} engine
 * @param {{ usersImage: string, usersBase: string, runtimeImage: string, runtimeFolder: string, options?: readonly string[], health: (container: string) => Promise<string> }} images
 *   `options`: further ones of `run` where the image has a health check
 */
export async function checkWays(engine, { usersImage, usersBase, runtimeImage, runtimeFolder, options = [], health }) {
  await checkContainer(engine, 'COPY --from', { argv: [...options, usersImage, 'serve'], health });
  const listen = ['serve', '--listen', 'ws://0.0.0.0:8080'];
  await checkContainer(engine, 'a bind mount', {
    argv: [
      ...['--volume', `${runtimeFolder}:/execwire:ro`, '--entrypoint', '/execwire/bin/tini', usersBase],
      ...['-s', '--', '/execwire/bin/execwire', ...listen],
    ],
  });
  await engine.run(['run', '--rm', '--volume', 'execwire:/shared', runtimeImage, 'install', '/shared']);
  await checkContainer(engine, 'a volume', {
    argv: [
      ...['--volume', 'execwire:/shared:ro', '--entrypoint', '/shared/execwire/bin/tini', usersBase],
      ...['-s', '--', '/shared/execwire/bin/execwire', ...listen],
    ],
  });
  await engine.run(['volume', 'rm', 'execwire']);
}
