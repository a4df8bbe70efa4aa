// Runs the README's examples against the built server and compares what comes with the page. Knows no example.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { WebSocket } from 'ws';
import { blocksOf, consoleSteps, linePattern, shownPattern } from './support/page-examples.js';
import { PROJECT, printedBy, programFolder } from './support/page-programs.js';
import { startServer } from './support/server.js';
import { SERVER } from './support/server-process.js';

const README = readFileSync(resolve(PROJECT, 'README.md'), 'utf8');
/** The server's address in the README. */
const DOCUMENTED_URL = 'ws://127.0.0.1:4500';
/** Lines that a reader sees without scrolling. */
const FIRST_SCREEN_LINES = 20;

/** The first block of a language, and of those with a given beginning. @throws {Error} when there is none */
function first(language: string, beginning = ''): string {
  const text = blocksOf(README, language).find((candidate) => candidate.startsWith(beginning));
  if (text === undefined) throw new Error(`the README has no block of ${language} that begins with "${beginning}"`);
  return text;
}

t.test('frames of the README get the shown answers when they are sent in its order', async (t) => {
  const { url } = await startServer(t);
  const socket = new WebSocket(url);
  const received: string[] = [];
  let onFrame = (): void => {};
  socket.on('message', (data) => {
    received.push(String(data));
    onFrame();
  });
  await new Promise((resolve) => socket.once('open', resolve));
  for (const frame of blocksOf(README, '').flatMap((text) => text.split('\n'))) {
    if (frame.startsWith('> ')) socket.send(frame.slice(2));
    if (!frame.startsWith('< ')) continue;
    while (received.length === 0) await new Promise<void>((resolve) => (onFrame = resolve));
    t.match(received.shift(), linePattern(frame.slice(2)));
  }
  t.same(received, [], 'nothing else came');
  socket.terminate();
});

t.test('command line of the README prints what it shows', async (t) => {
  const { url } = await startServer(t);
  const folder = programFolder(t);
  for (const { command, shown } of consoleSteps(first('console', '$ alias'))) {
    const printed = await printedBy(folder, ['sh', '-c', command.replaceAll(DOCUMENTED_URL, url)], url);
    t.match(printed, shownPattern(shown), command);
  }
});

t.test('two commands of the README stand on its first screen', (t) => {
  const firstScreen = README.split('\n').slice(0, FIRST_SCREEN_LINES).join('\n');
  const commands = blocksOf(README, 'sh');
  t.equal(commands.length, 2);
  for (const command of commands) t.ok(firstScreen.includes(command.trim()), command);
  t.end();
});

t.test('client example of the README prints the shown output when it is run', async (t) => {
  const { url } = await startServer(t);
  const code = first('js').replaceAll(DOCUMENTED_URL, url);
  t.not(code, first('js'));
  const printed = await printedBy(programFolder(t), [process.execPath, '--input-type=module', '--eval', code], url);
  t.equal(printed, first('text'));
});

t.test('stdio example of the README gets the shown answers, and the server ends with its input', async (t) => {
  const [command = '', ...lines] = first('console', '$ node').trim().split('\n');
  t.equal(command, '$ node dist/execwire.cjs');
  const server = spawn(process.execPath, [SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => server.kill('SIGKILL'));
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const answers = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  for (const line of lines) {
    if (line.startsWith('> ')) server.stdin.write(`${line.slice(2)}\n`);
    else t.match((await answers.next()).value, linePattern(line.slice(2)));
  }
  server.stdin.end();
  t.equal(await exited, 0);
});
