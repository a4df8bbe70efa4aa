// Owns the check of compose.yaml without an engine: its files, durations and hardening, and its command line run by the real server.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerProcess } from '../../test/support/server-process.js';
import { probe } from './probe.mjs';
import { durationSeconds, MARGIN_SECONDS } from './reference-checks.mjs';
import { check } from './report.mjs';

const TOKEN_IN_CONTAINER = '/run/secrets/token';

function hardeningProblems(service) {
  const rules = [
    ['has a writable root', service.read_only === true],
    ['keeps capabilities', service.cap_drop?.includes('ALL')],
    ['may gain privileges', service.security_opt?.includes('no-new-privileges:true')],
    ['has no memory limit', service.mem_limit !== undefined],
    ['has no bound on processes', service.pids_limit !== undefined],
    [
      'lacks /tmp or /workspace',
      ['/tmp', '/workspace'].every((path) => service.tmpfs.some((mount) => mount.startsWith(`${path}:`))),
    ],
    ['replaces the entry point', service.entrypoint === undefined],
  ];
  return rules.filter(([, holds]) => !holds).map(([problem]) => problem);
}

/**
 * @param {(text: string) => object} parseYaml with merge keys
 * @param {{ projectFolder: string, workFolder: string }} folders
 */
export async function checkComposeFile(parseYaml, { projectFolder, workFolder }) {
  const { services } = parseYaml(await readFile(join(projectFolder, 'compose.yaml'), 'utf8'));
  const haproxy = await readFile(join(projectFolder, 'deploy/haproxy/haproxy.cfg'), 'utf8');
  const replicas = Object.entries(services).filter(([name]) => haproxy.includes(` ${name}:8080`));
  check(
    'HAProxy knows the names of the three replicas',
    replicas.length === 3,
    replicas.map(([name]) => name).join(' '),
  );

  const mounted = Object.values(services).flatMap((service) =>
    (service.volumes ?? []).map((volume) => volume.split(':')[0]),
  );
  const missing = mounted.filter((path) => !existsSync(join(projectFolder, path)));
  check('every mounted file exists', missing.length === 0, missing.join(' '));

  const [, replica] = replicas[0];
  const problems = hardeningProblems(replica);
  check('replicas are hardened', problems.length === 0, problems.join('; '));
  const least = ['--drain-delay', '--drain-timeout', '--kill-grace'].reduce(
    (sum, flag) => sum + durationSeconds(replica.command, flag),
    MARGIN_SECONDS,
  );
  check(
    'stop_grace_period covers the drain',
    Number.parseInt(replica.stop_grace_period, 10) >= least,
    `${replica.stop_grace_period}, needed ${least}s`,
  );

  const cwd = join(workFolder, 'compose');
  await mkdir(cwd, { recursive: true });
  await writeFile(join(cwd, 'token'), 'compose-test-token\n');
  const places = { 'ws://0.0.0.0:8080': 'ws://127.0.0.1:0', [TOKEN_IN_CONTAINER]: join(cwd, 'token'), '5s': '0s' };
  const argv = [
    process.execPath,
    join(projectFolder, 'dist/execwire.cjs'),
    ...replica.command.map((word) => places[word] ?? word),
  ];
  const running = await ServerProcess.start({ argv, cwd });
  check('its command line serves', (await probe(`${running.httpUrl}/readyz`)) === 200);
  check('SIGTERM ends it with exit code 0', (await running.stop()).code === 0);
}
