// Runs every block of docs/guide/shell.md, in order, in one bash in a real terminal, and compares what is printed with what the page shows.
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import t from 'tap';
import { allBlocksOf, consoleSteps, shownPattern } from '../support/page-examples.js';
import { SERVER } from '../support/server-process.js';
import { cliSetup, endOf } from './cli-process.js';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/guide/shell.md'), 'utf8');
/** Stands between the output of two commands. */
const SEPARATOR = '\u001e';

t.test('every block of docs/guide/shell.md prints what the page shows', async (t) => {
  const setup = await cliSetup(t);
  const folder = mkdtempSync(join(tmpdir(), 'execwire-guide-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  symlinkSync(SERVER, join(folder, 'execwire'));
  const blocks = allBlocksOf(PAGE);
  t.same(new Set(blocks.map(({ language }) => language)), new Set(['console']), 'every block can be run');
  const steps = blocks.flatMap(({ text }) => consoleSteps(text.replaceAll('ws://127.0.0.1:4500', setup.url)));
  const script = steps.map(({ command }) => `${command}\nprintf '${SEPARATOR}'\n`).join('');
  const env = { PATH: [folder, resolve(process.execPath, '..'), process.env.PATH].join(delimiter), SHELL: '/bin/bash' };
  const { text } = await endOf(setup.program(['bash', '-c', script], { env, cols: 300, rows: 50 }));
  const printed = text.replaceAll('\r\n', '\n').split(SEPARATOR);
  for (const [at, { command, shown }] of steps.entries()) t.match(printed[at], shownPattern(shown), command);
  t.equal(printed.length, steps.length + 1);
});
