/** Starts the page. */
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { connect } from '../../client/src/browser.js';

const panel = document.createElement('main');
panel.className = 'panel';
const screen = document.createElement('div');
screen.className = 'screen';
panel.append(screen);
document.body.append(panel);

const xterm = new Terminal({ allowProposedApi: true });
const fit = new FitAddon();
xterm.loadAddon(fit);
xterm.open(screen);
fit.fit();
const url = new URL('.', location.href);
url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
const box = await connect(url.href, { name: 'execwire-terminal' });
const { cols, rows } = xterm;
const command = box.terminal(['/bin/sh'], { cols, rows });
xterm.onData((text) => void command.write(text));
for await (const bytes of command.output) await new Promise<void>((done) => xterm.write(bytes, done));
