// The command line of the benchmark.

import { parseArgs } from 'node:util';
import { ALL_CASES } from './cases/all.mjs';

const DEFAULT_ROUNDS = 5;

export const USAGE = `Usage: node bench/run.mjs [options]
  --rounds N          rounds, each with every server in turn (default ${DEFAULT_ROUNDS}; with --quick 1)
  --only CASE,CASE    only these cases: ${ALL_CASES.map(({ name }) => name).join(', ')}
  --quick             smaller sizes, one round, without the longest case
  --peer NAME=COMMAND another server of the same protocol, {port} in its command; may be repeated
  --node PATH         run the start and memory cases with this node binary too; may be repeated
  --us COMMAND        measure this command as execwire, {port} in it (default: the built server with this node)
  --no-us             without execwire: only peers and floors
  --json FILE         where the results go (default bench/results/latest.json)
  --page              write docs/benchmarks.md from the results`;

/**
 * @typedef {object} Options
 * @property {number} rounds
 * @property {import('./case.mjs').Case[]} cases
 * @property {boolean} quick
 * @property {{ name: string, command: string }[]} peers
 * @property {string[]} nodes
 * @property {string | undefined} us
 * @property {boolean} withUs
 * @property {string | undefined} json
 * @property {boolean} page
 */

/** Throws with a message for the user when an option is wrong. @param {string[]} argv @returns {Options | 'help'} */
export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      peer: { type: 'string', multiple: true, default: [] },
      node: { type: 'string', multiple: true, default: [] },
      us: { type: 'string' },
      'no-us': { type: 'boolean', default: false },
      json: { type: 'string' },
      page: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const rounds = Number(values.rounds ?? (values.quick ? 1 : DEFAULT_ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1');
  return {
    rounds,
    cases: chooseCases(values.only, values.quick),
    quick: values.quick,
    peers: values.peer.map(parsePeer),
    nodes: values.node,
    us: values.us,
    withUs: !values['no-us'],
    json: values.json,
    page: values.page,
  };
}

/** @param {string | undefined} only @param {boolean} quick */
function chooseCases(only, quick) {
  if (only === undefined) return ALL_CASES.filter((each) => !quick || !each.skipQuick);
  return only.split(',').map((name) => {
    const found = ALL_CASES.find((each) => each.name === name);
    if (!found) throw new Error(`no case is named ${name}; there are ${ALL_CASES.map((each) => each.name).join(', ')}`);
    return found;
  });
}

/** @param {string} text */
function parsePeer(text) {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  const command = text.slice(at + 1);
  if (at < 1 || !command.includes('{port}')) throw new Error("--peer takes NAME='command with {port}'");
  return { name, command };
}
