// The contenders of a run: execwire, execwire on other node binaries, the peers, and the floors.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const US = 'execwire';
export const FLOOR = 'floor';
const SERVER_FILE = fileURLToPath(new URL('../dist/execwire.cjs', import.meta.url));
const PACKAGE_FILE = new URL('../package.json', import.meta.url);

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {'us' | 'node' | 'peer' | 'floor'} kind
 * @property {string} [command] With `{port}`; none for the floors.
 * @property {string} [node] Version of the node that runs it.
 * @property {string} [version]
 */

/** @param {import('./options.mjs').Options} options @param {(line: string) => void} say @returns {Contender[]} */
export function listContenders(options, say) {
  /** @type {Contender[]} */
  const contenders = [];
  if (options.withUs && (options.us || existsSync(SERVER_FILE))) {
    const { version } = JSON.parse(readFileSync(PACKAGE_FILE, 'utf8'));
    contenders.push({
      name: US,
      kind: 'us',
      command: options.us ?? serve(process.execPath),
      node: process.version,
      version,
    });
    for (const path of options.nodes) {
      const node = execFileSync(path, ['-p', 'process.version'], { encoding: 'utf8' }).trim();
      contenders.push({ name: `${US} on ${node}`, kind: 'node', command: serve(path), node, version });
    }
  } else if (options.withUs) say('dist/execwire.cjs is missing (npm run build): execwire is left out');
  for (const { name, command } of options.peers) contenders.push({ name, kind: 'peer', command });
  contenders.push({ name: FLOOR, kind: 'floor' });
  return contenders;
}

/** @param {string} node */
function serve(node) {
  return `'${node}' '${SERVER_FILE}' serve --listen ws://127.0.0.1:{port}`;
}

/** Whether a contender takes part in a case. @param {Contender} contender @param {import('./case.mjs').Case} each */
export function takesPart(contender, each) {
  if (contender.kind === 'floor') return each.floor !== undefined || each.floorInC !== undefined;
  if (contender.kind === 'node') return each.perNode === true;
  return contender.kind === 'us' || !each.usOnly;
}
