/**
 * Runs every code block of the guides, in order and with one server for each page, and compares what comes with the page. The output of a program is
 * compared with the `text` block after it. A program with a file name is saved, and a `console` block after it runs it. Lines with `>` are messages to
 * send, lines with `<` messages to expect. Knows no example.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { allBlocksOf, blocksOf, consoleSteps, type PageBlock, shownPattern } from '../support/page-examples.js';
import { PROJECT, printedBy, programFolder } from '../support/page-programs.js';
import { startServer } from '../support/server.js';

const GUIDE = join(PROJECT, 'docs/guide');
/** How a clone is installed and started: the first block of the README. */
const [INSTALLING] = blocksOf(readFileSync(join(PROJECT, 'README.md'), 'utf8'), 'sh');
/** The address that pages write. */
const DOCUMENTED_URL = 'ws://127.0.0.1:4500';
/** A Python that has the package `websockets`. */
const PYTHON = ['/usr/bin/python3', '/usr/local/bin/python3'].find(
  (python) => spawnSync(python, ['-c', 'import websockets']).status === 0,
);

interface Page {
  readonly name: string;
  /** Whether its programs are for browsers. */
  readonly isForBrowsers?: boolean;
  readonly skip?: string | false;
}

const PAGES: readonly Page[] = [
  { name: 'first-hour.md' },
  { name: 'node.md' },
  { name: 'browser.md', isForBrowsers: true },
  { name: 'python.md', skip: PYTHON === undefined && 'python3 with the package websockets is not installed' },
  { name: 'embed.md' },
  { name: 'migrate-from-codex.md' },
];

/** Sends the messages of a block in order and compares what the server sends with the block. */
async function exchange(t: Test, socket: WebSocket, received: string[], text: string): Promise<void> {
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('> ')) socket.send(line.slice(2));
    else {
      while (received.length === 0) await once(socket, 'message');
      t.match(received.shift(), shownPattern(line.slice(2)), line.slice(0, 60));
    }
  }
}

async function runPage(t: Test, { name, isForBrowsers = false }: Page): Promise<void> {
  const server = await startServer(t);
  const folder = programFolder(t, PYTHON === undefined ? {} : { python3: PYTHON });
  const adapted = (text: string): string => {
    const local = text.replaceAll(DOCUMENTED_URL, server.url);
    return isForBrowsers ? local.replace("'execwire-client'", `'${PROJECT}/client/dist/browser.js'`) : local;
  };
  const socket = new WebSocket(server.url);
  t.teardown(() => socket.terminate());
  const received: string[] = [];
  socket.on('message', (data) => received.push(String(data)));
  await once(socket, 'open');
  // Browsers have a global WebSocket, and Node 20 has none.
  writeFileSync(join(folder, 'browser.mjs'), `import { WebSocket } from 'ws';\nglobalThis.WebSocket ??= WebSocket;\n`);

  const blocks = allBlocksOf(readFileSync(join(GUIDE, name), 'utf8'));
  t.ok(blocks.length > 0, `${blocks.length} blocks`);
  /** Whether the next block is the output of the program before it, which has been compared. */
  let isShown = false;
  for (const [at, block] of blocks.entries()) {
    const next: PageBlock | undefined = blocks[at + 1];
    const title = `block ${at + 1} of ${name}`;
    if (block.language === 'text' && isShown) isShown = false;
    else if (block.language === 'js' || block.language === 'python') {
      const file = block.fileName ?? `program-${at}.mjs`;
      writeFileSync(join(folder, file), adapted(block.text));
      if (block.fileName !== undefined && next?.language === 'console') continue;
      const preload = isForBrowsers ? ['--import', './browser.mjs'] : [];
      const printed = await printedBy(
        folder,
        block.language === 'js' ? ['node', ...preload, file] : ['python3', file],
        server.url,
      );
      isShown = next?.language === 'text';
      t.match(printed, isShown ? shownPattern(next?.text ?? '') : /^$/, title);
    } else if (block.language === 'console') {
      for (const { command, shown } of consoleSteps(block.text)) {
        const printed = await printedBy(folder, ['sh', '-c', adapted(command)], server.url);
        t.match(printed, shownPattern(shown), `${title}: ${command}`);
      }
    } else if (block.language === 'sh') t.equal(block.text, INSTALLING, `${title}: the same as in the README`);
    else if (block.language === '' && /^[<>] /.test(block.text)) await exchange(t, socket, received, block.text);
    else t.fail(`${title}: this test cannot run a block of ${block.language === '' ? 'no language' : block.language}`);
  }
}

for (const page of PAGES) {
  t.test(`blocks of docs/guide/${page.name} give what they show when run in order`, { skip: page.skip ?? false }, (t) =>
    runPage(t, page),
  );
}
