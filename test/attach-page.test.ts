// Runs the examples of docs/attach.md against the built server and compares what comes with the page. Knows no example.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { blocksOf, linePattern } from './support/page-examples.js';
import { PROJECT, printedBy, programFolder } from './support/page-programs.js';
import { startServer } from './support/server.js';
import type { WireClient, WireMessage } from './support/wire-client.js';

const PAGE = readFileSync(resolve(PROJECT, 'docs/attach.md'), 'utf8');
/** The server's address in the page. */
const DOCUMENTED_URL = 'ws://127.0.0.1:4500';

const server = await startServer(t);

t.test('programs of the attach page print what it shows when they are run', async (t) => {
  const programs = blocksOf(PAGE, 'js');
  const outputs = blocksOf(PAGE, 'text');
  t.ok(programs.length > 0);
  t.equal(programs.length, outputs.length, 'the page shows the output of each program');
  const folder = programFolder(t);
  for (const [at, program] of programs.entries()) {
    const code = program.replaceAll(DOCUMENTED_URL, server.url);
    const printed = await printedBy(folder, [process.execPath, '--input-type=module', '--eval', code], server.url);
    t.equal(printed, outputs[at], `program ${at + 1}`);
  }
});

t.test('shell example of the attach page prints what it shows when it is run', async (t) => {
  const [script = ''] = blocksOf(PAGE, 'sh');
  t.match(script, DOCUMENTED_URL);
  const argv = ['sh', '-c', script.replaceAll(DOCUMENTED_URL, server.url)];
  const printed = await printedBy(programFolder(t), argv, server.url);
  // The page leaves out the line on standard error that says until when the command is kept.
  t.equal(printed.replace(/^execwire: kept until .*\n/, ''), blocksOf(PAGE, 'out')[0]);
});

t.test('frames of the attach page get the answers it shows when they are sent in its order', async (t) => {
  const lines = blocksOf(PAGE, '').flatMap((text) => text.split('\n').filter((line) => /^\d[<>✂]/.test(line)));
  t.ok(lines.length > 10, `${lines.length} lines`);
  const clients = new Map<string, WireClient>();
  /** Messages of each connection that the page has shown so far. */
  const shown = new Map<string, WireMessage[]>();
  const clientOf = async (name: string): Promise<WireClient> => {
    const client = clients.get(name) ?? (await server.wire());
    clients.set(name, client);
    return client;
  };
  // Messages that the page shows between two sent lines may come in any order.
  let expected: RegExp[] = [];
  const takeExpected = async (name: string): Promise<void> => {
    const client = await clientOf(name);
    const seen = shown.get(name) ?? [];
    shown.set(name, seen);
    for (const pattern of expected) {
      const came = await client.message((message) => !seen.includes(message) && pattern.test(JSON.stringify(message)));
      seen.push(came);
    }
    expected = [];
    t.equal(client.messages.length, seen.length, `only what the page shows came to connection ${name}`);
  };
  let name = '';
  for (const line of lines) {
    const [given = '', mark] = line;
    if (mark === '<') {
      expected.push(linePattern(line.slice(3)));
      continue;
    }
    if (name !== '') await takeExpected(name);
    name = given;
    if (mark === '>') (await clientOf(name)).send(line.slice(3));
    else (await clientOf(name)).terminate();
  }
  await takeExpected(name);
});
