/** A page goes and comes back: by reload, by the back button, over a broken network, and to a server that is not the same any more. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from '../../client/src/node.js';
import { CuttingProxy } from '../support/cutting-proxy.js';
import type { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { type BrowserTest, browserTest } from './browser-test.js';
import type { TerminalPage } from './terminal-page.js';

/** What a browser says of a connection that did not come about. */
const REFUSED = [/console: .*(ERR_|WebSocket connection)/];

/** A page whose network the test can break. */
async function openThroughProxy(
  t: BrowserTest,
  server: ServerProcess = t.server,
): Promise<{ terminal: TerminalPage; proxy: CuttingProxy }> {
  const proxy = await CuttingProxy.start(server.port);
  const base = proxy.url.replace(/^ws/, 'http');
  t.after(() => proxy.close());
  t.faults.expect(...REFUSED);
  const terminal = await t.open({ base });
  return { terminal, proxy };
}

/** Runs a loop in the shell of a page that waits for a file, writes lines, and makes another file. */
async function startLines(t: BrowserTest, terminal: TerminalPage, count: number): Promise<{ go(): Promise<void> }> {
  const folder = t.folder();
  const [start, end] = [join(folder, 'start'), join(folder, 'end')];
  await terminal.type(
    `echo wait""ing; until [ -e ${start} ]; do sleep 0.05; done; seq -f line-%g ${count}; touch ${end}`,
  );
  await terminal.press('Enter');
  // What is on its way when a connection breaks would arrive only after it.
  await terminal.untilShown('waiting');
  return {
    async go() {
      writeFileSync(start, '');
      await until('all lines are written', () => existsSync(end));
    },
  };
}

/** @throws {Error} when a line is missing, doubled or out of its place */
async function assertLines(terminal: TerminalPage, count: number): Promise<void> {
  const lines = (await terminal.wholeText()).split('\n').filter((line) => /^line-\d+$/.test(line));
  assert.deepEqual(
    lines,
    Array.from({ length: count }, (_, index) => `line-${index + 1}`),
  );
}

browserTest(
  'terminals come back with their screens and what had scrolled out when the page is loaded again',
  async (t) => {
    const terminal = await t.open();
    await terminal.run('variable=kept; seq -f line-%g 300');
    const before = await terminal.screen();
    await terminal.button('New terminal').click();
    await terminal.untilPrompt();
    await terminal.run('echo the-""other');
    await terminal.page.reload();
    // The tab that was in front is in front again.
    await terminal.untilShown('the-other');
    assert.equal(await terminal.page.getByRole('tab').count(), 2);
    await terminal.page.getByRole('tab').first().click();
    await terminal.untilScreen('the screen as it was', (screen) => screen === before);
    await assertLines(terminal, 300);
    assert.match(await terminal.run('echo "variable is $variable"'), /variable is kept/);
  },
);

browserTest('full-screen program is on the screen again when the page is loaded again', async (t) => {
  const terminal = await t.open();
  await terminal.run('echo under-it');
  await terminal.type("printf '\\e[?1049h\\e[2J\\e[3;5Hin the middle\\e[?25l'; cat; printf '\\e[?1049l\\e[?25h'");
  await terminal.press('Enter');
  await terminal.untilScreen('the program alone', (screen) => screen === '\n\n    in the middle');
  await terminal.page.reload();
  await terminal.untilScreen('the program alone', (screen) => screen === '\n\n    in the middle');
  await terminal.press('Control+d');
  await terminal.untilShown('under-it');
});

browserTest('every byte arrives once and in order when the network was away', async (t) => {
  const { terminal, proxy } = await openThroughProxy(t);
  const lines = await startLines(t, terminal, 1500);
  proxy.shut();
  await terminal.untilDisconnected();
  await lines.go();
  proxy.open();
  await terminal.untilShown('line-1500');
  await terminal.untilConnected();
  await assertLines(terminal, 1500);
  assert.match(await terminal.run('echo typed-""again'), /typed-again/);
});

browserTest('what is typed while the network is away arrives once it is back', async (t) => {
  const { terminal, proxy } = await openThroughProxy(t);
  proxy.shut();
  await terminal.untilDisconnected();
  await terminal.type('echo typed-$((1 + 1))-away');
  await terminal.press('Enter');
  proxy.open();
  await terminal.untilShown('typed-2-away');
  await terminal.untilConnected();
});

browserTest('page comes back at once when the browser says that the network is there again', async (t) => {
  const { terminal, proxy } = await openThroughProxy(t);
  const context = terminal.page.context();
  await context.setOffline(true);
  proxy.shut();
  await terminal.untilDisconnected();
  proxy.open();
  await context.setOffline(false);
  assert.match(await terminal.run('echo back-""again'), /back-again/);
});

browserTest('page goes on where it was when the user comes back by the back button', async (t) => {
  const terminal = await t.open();
  const { page } = terminal;
  const lines = await startLines(t, terminal, 100);
  await page.evaluate(() => Reflect.set(globalThis, 'wasKept', true));
  await page.goto('data:text/html,elsewhere');
  await lines.go();
  await page.goBack({ waitUntil: 'commit' });
  await terminal.untilShown('line-100');
  assert.equal(await page.evaluate(() => Reflect.get(globalThis, 'wasKept')), true, 'the browser had kept the page');
  await terminal.untilPrompt();
  await assertLines(terminal, 100);
  assert.match(await terminal.run('echo typed-""again'), /typed-again/);
});

browserTest('no tab is lost when the page is loaded again before it is back', async (t) => {
  t.faults.expect(/WebSocket is closed before the connection is established/);
  const terminal = await t.open();
  const { page } = terminal;
  for (let count = 2; count <= 4; count += 1) {
    await terminal.run('seq -f line-%g 3000');
    await terminal.button('New terminal').click();
    await terminal.untilPrompt();
  }
  // The page reloads itself, because Chromium may refuse that to a test while the page before is still going.
  await page.addInitScript(() => {
    const loads = Number(sessionStorage.getItem('loads')) + 1;
    sessionStorage.setItem('loads', String(loads));
    if (loads < 4) setTimeout(() => location.reload(), loads * 25);
  });
  await page.reload({ waitUntil: 'commit' });
  await page.waitForFunction(() => sessionStorage.getItem('loads') === '4');
  await terminal.untilPrompt();
  assert.equal(await page.getByRole('tab').count(), 4);
});

browserTest('page that needs no network says nothing more of it once the browser has it again', async (t) => {
  const terminal = await t.open();
  await terminal.page.evaluate(() => window.dispatchEvent(new Event('offline')));
  await terminal.untilDisconnected();
  await terminal.page.evaluate(() => window.dispatchEvent(new Event('online')));
  await terminal.untilConnected();
});

browserTest('page asks for a token when a server is there that does not let it in again', async (t) => {
  const { terminal, proxy } = await openThroughProxy(t);
  await terminal.run('variable=kept');
  const refusing = createServer((_request, answer) => answer.end()).on('upgrade', (_request, socket) =>
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n'),
  );
  t.after(() => refusing.close());
  await once(refusing.listen(0, '127.0.0.1'), 'listening');
  t.faults.expect(/console: .*401/, /console: .*(Access|CORS|HTTP Authentication)/);
  proxy.shut();
  proxy.targetPort = (refusing.address() as AddressInfo).port;
  proxy.open();
  await terminal.untilSaid(/does not let this page in/);
  await terminal.button('Sign in again').click();
  proxy.shut();
  proxy.targetPort = t.server.port;
  proxy.open();
  await terminal.page.getByLabel('Token').fill(t.workplace.token);
  await terminal.button('Sign in').click();
  await terminal.untilConnected();
  assert.match(await terminal.run('echo "variable is $variable"'), /variable is kept/);
});

browserTest('tab that is closed without a connection says that its command goes on', async (t) => {
  t.faults.expect(...REFUSED);
  const terminal = await t.open();
  const { page } = terminal;
  await page.route('**/healthz', (route) => route.abort());
  await page.routeWebSocket(/./, (socket) => socket.close());
  await page.reload();
  await terminal.untilDisconnected();
  await terminal.button('Close terminal').click();
  await terminal.untilSaid(/cannot be ended now/);
  await terminal.dialog.getByRole('button', { name: 'Close', exact: true }).click();
  await page.getByText('No terminal is open').waitFor();
  const box = await connect(t.server.url, { name: 'test', token: t.workplace.token });
  t.after(() => box.close());
  assert.equal((await box.list()).filter(({ state }) => state !== 'ended').length, 1);
});

browserTest('program gets its mouse and its cursor as before when the page is loaded again', async (t) => {
  const terminal = await t.open();
  await terminal.type("printf '\\e[?1000h\\e[?1006h\\e[?25l\\e[2;9r\\e[?6h\\e[3;4Hhere'; cat");
  await terminal.press('Enter');
  await terminal.untilShown('here');
  const before = await terminal.screen();
  await terminal.page.reload();
  await terminal.untilScreen('the screen as it was', (screen) => screen === before);
  assert.equal(await terminal.panel.locator('.xterm-cursor').count(), 0, 'the cursor stays hidden');
  await terminal.clickText('here');
  await terminal.untilShown(/here\^\[\[<0;\d+;\d+M/);
});

browserTest(
  'page says that nobody knows what became of the command when its server was killed and another one answers',
  async (t) => {
    const first = await t.startServer();
    const { terminal, proxy } = await openThroughProxy(t, first);
    await terminal.run('echo on-the-""first');
    await first.crash();
    await terminal.untilDisconnected();
    const second = await t.startServer();
    proxy.targetPort = second.port;
    await terminal.untilSaid(/unknown/);
    await terminal.untilConnected();
    // The screen stays readable, and nothing is invented.
    await terminal.untilShown('on-the-first');
    assert.doesNotMatch((await terminal.panel.textContent()) ?? '', /has ended/);
    await terminal.button('New terminal').click();
    await terminal.untilPrompt();
  },
);

browserTest('page says that the command is gone when the same server does not keep it any more', async (t) => {
  const { terminal, proxy } = await openThroughProxy(t);
  await terminal.run('echo a-line-""before');
  proxy.shut();
  await terminal.untilDisconnected();
  await t.workplace.killCommands();
  proxy.open();
  await terminal.untilSaid(/does not keep it any more/);
  await terminal.untilShown('a-line-before');
});

browserTest('page shows how a command ended while it was away', async (t) => {
  const { terminal, proxy } = await openThroughProxy(t);
  const folder = t.folder();
  await terminal.type(`echo wait""ing; until [ -e ${folder}/go ]; do sleep 0.05; done; echo last-""words; exit 7`);
  await terminal.press('Enter');
  await terminal.untilShown('waiting');
  proxy.shut();
  await terminal.untilDisconnected();
  writeFileSync(join(folder, 'go'), '');
  const box = await connect(t.server.url, { name: 'browser-test', token: t.workplace.token });
  await until('the shell has ended', async () => (await box.list()).every(({ state }) => state === 'ended'));
  await box.close();
  proxy.open();
  await terminal.untilSaid(/has ended with 7/);
  await terminal.untilShown('last-words');
});

browserTest('user is told that the server leaves when it drains, and how the command ended', async (t) => {
  const server = await t.startServer({ flags: ['--drain-timeout', '3s'] });
  const terminal = await t.open({ server });
  t.faults.expect(...REFUSED);
  server.signal('SIGTERM');
  await terminal.untilSaid(/draining|shutting down|leav/i);
  // Until the deadline the terminal is served.
  assert.match(await terminal.run('echo still-""here'), /still-here/);
  await server.exited;
  await terminal.untilSaid(/SIG(TERM|HUP|KILL)|has ended|unknown/);
});
