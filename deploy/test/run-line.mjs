// Owns the check of the `docker run` line of docs/deploy.md without an engine: the rules of compose.yaml hold of it, and the real server takes its arguments.
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerProcess } from '../../test/support/server-process.js';
import { containerProblems } from './compose-rules.mjs';
import { builtServer } from './rendered-server.mjs';
import { check, checkCaught } from './report.mjs';

const TOKEN = 'run-line-test-token';
const TOKEN_SHA256 = createHash('sha256').update(TOKEN).digest('hex');
/** How the page makes the digest of a token. */
const DIGEST = /"\$\(printf %s "\$token".*?\)"/;

/**
 * @param {string} page docs/deploy.md
 * @returns {string[]} the words of the line, with the digest of a token in place
 */
export function runLine(page) {
  const [line = ''] = /^docker run --detach (?:.*\\\n)*.*$/m.exec(page) ?? [];
  return line
    .replace(DIGEST, TOKEN_SHA256)
    .split(/[\s\\]+/)
    .filter((word) => word !== '');
}

/** @param {string[]} words @returns {object} the container in the words of compose.yaml */
function serviceOf(words) {
  const image = words.findIndex((word) => word.startsWith('execwire:'));
  const flags = words.slice(0, image);
  const valuesOf = (flag) => flags.filter((_, index) => flags[index - 1] === flag);
  return {
    command: words.slice(image + 1),
    read_only: flags.includes('--read-only'),
    cap_drop: valuesOf('--cap-drop'),
    security_opt: valuesOf('--security-opt').map((option) => `${option}:true`),
    tmpfs: valuesOf('--tmpfs'),
    mem_limit: valuesOf('--memory')[0],
    pids_limit: valuesOf('--pids-limit')[0],
    stop_grace_period: `${valuesOf('--stop-timeout')[0]}s`,
  };
}

/** @param {{ projectFolder: string, workFolder: string }} folders */
export async function checkRunLine({ projectFolder, workFolder }) {
  const words = runLine(await readFile(join(projectFolder, 'docs/deploy.md'), 'utf8'));
  const service = serviceOf(words);
  const problems = containerProblems(service);
  check('the `docker run` line drains, leaves memory, and is hardened', problems.length === 0, problems.join('; '));
  const without = words.filter((word) => !['--stop-timeout', '115'].includes(word));
  checkCaught('in the `docker run` line, no --stop-timeout', containerProblems(serviceOf(without)));

  const cwd = join(workFolder, 'run-line');
  await mkdir(cwd, { recursive: true });
  const argv = builtServer(service.command, { '5s': '0s' }, projectFolder);
  const server = await ServerProcess.start({ argv, cwd, env: { EXECWIRE_LISTEN: 'ws://127.0.0.1:0' } });
  try {
    const client = await server.wire({ token: TOKEN });
    const { result } = await client.initialize().then((session) => session.exec(['echo', 'served']));
    check('it serves who has the token', result?.stdout === 'served\n', server.url);
    await client.close();
  } finally {
    check('SIGTERM ends it with exit code 0', (await server.stop()).code === 0);
  }
  check('its last line says how the drain ended', JSON.parse(server.lines.at(-1)).msg === 'left', server.lines.at(-1));
}
