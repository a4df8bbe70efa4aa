/** Shows interactive programs over the wire through a terminal emulator, as a person at a browser sees them. Knows no message. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import t, { type Test } from 'tap';
import type { Box, Terminal } from '../../client/src/node.js';
import { startServer } from '../support/server.js';

const ROWS = 24;
const COLS = 80;
/** Milliseconds to wait for the output of a program, because a start takes seconds on a busy machine. */
const SEEN_WITHIN_MS = 60_000;

/** A program in a terminal, and the screen it draws. */
class Screen {
  readonly command: Terminal;
  readonly #terminal = new xterm.Terminal({ rows: ROWS, cols: COLS, allowProposedApi: true });
  #onDrawn: () => void = () => {};

  constructor(client: Box, argv: string[], env: Record<string, string> = {}) {
    this.command = client.terminal(argv, { rows: ROWS, cols: COLS, env: { LC_ALL: 'C', ...env } });
    this.command.onOutput(({ bytes }) => this.#terminal.write(bytes, () => this.#onDrawn()));
    // Programs ask where the cursor is and what the terminal can do; the emulator's answers go back as input.
    this.#terminal.onData((answer) => void this.command.write(answer).catch(() => {}));
  }

  /** The lines of the screen, without blanks at their ends. */
  lines(): string[] {
    const buffer = this.#terminal.buffer.active;
    return Array.from({ length: this.#terminal.rows }, (_, row) =>
      (buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? '').trimEnd(),
    );
  }

  async type(text: string): Promise<void> {
    await this.command.write(text);
  }

  async resize(rows: number, cols: number): Promise<void> {
    this.#terminal.resize(cols, rows);
    await this.command.resize({ rows, cols });
  }

  /** Waits until the screen satisfies a condition. @throws {Error} with the screen as it is */
  shows(what: string, holds: (lines: string[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds(this.lines())) return;
        clearTimeout(timer);
        this.#onDrawn = () => {};
        resolve();
      };
      const timer = setTimeout(() => {
        reject(new Error(`not seen: ${what}\n${this.lines().join('\n')}`));
      }, SEEN_WITHIN_MS);
      this.#onDrawn = look;
      look();
    });
  }

  showsLine(line: string): Promise<void> {
    return this.shows(`the line "${line}"`, (lines) => lines.includes(line));
  }
}

/** The echo of Ctrl-C; a prompt may follow on the same line. */
function isInterrupt(line: string): boolean {
  return line.startsWith('^C');
}

function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

t.test('terminals', async (t) => {
  const client = await (await startServer(t)).connect();

  t.test('bash runs commands, jobs and signals when keys are typed', async (t: Test) => {
    const screen = new Screen(client, ['bash', '--norc', '--noprofile', '-i'], { PS1: '> ' });
    await screen.shows('a prompt', (lines) => lines[0] === '>');
    await screen.type('echo $((6 * 7))\r');
    await screen.showsLine('42');
    await screen.resize(30, 100);
    await screen.type('stty size\r');
    await screen.showsLine('30 100');
    await screen.type('sleep 300 & jobs\r');
    await screen.shows('the job', (lines) => lines.some((line) => /^\[1\]\+\s+Running\s+sleep 300 &$/.test(line)));
    // Bash discards keys that are typed while it edits an interrupted line, and a child of bash may swallow an interrupt that comes before it is the
    // foreground group. So each key waits for the effect of the one before, and the interrupt for a word from the program itself.
    await screen.type('sh -c "echo begun; exec sleep 301"; echo never\r');
    await screen.showsLine('begun');
    await screen.type('\u0003');
    await screen.shows(
      'a prompt after the interrupt',
      (lines) => lines.some(isInterrupt) && lines.findLast((line) => line !== '') === '>',
    );
    await screen.type('echo status $?\r');
    await screen.showsLine('status 130');
    await screen.type('kill %1; exit 7\r');
    t.equal((await screen.command.result).exitCode, 7);
  });

  t.test(
    'full-screen program redraws when the window changes, and gives the old screen back at its end',
    async (t: Test) => {
      const frame = (rows: number, cols: number): string[] =>
        Array.from({ length: rows }, (_, row) => `${`row ${row + 1} of ${rows}`.padEnd(cols - 1)}|`);
      const screen = new Screen(client, ['sh', 'test/fixtures/full-screen.sh']);
      const isFrame = (rows: number, cols: number) => (lines: string[]) =>
        JSON.stringify(lines) === JSON.stringify(frame(rows, cols));
      await screen.shows('the first frame', isFrame(ROWS, COLS));
      await screen.resize(40, 120);
      await screen.shows('the larger frame', isFrame(40, 120));
      await screen.resize(10, 33);
      await screen.shows('the smaller frame', isFrame(10, 33));
      await screen.type('q');
      await screen.shows(
        'the screen from before',
        (lines) => lines.includes('left') && !lines.some((line) => line.startsWith('row')),
      );
      t.equal((await screen.command.result).exitCode, 0);
    },
  );

  t.test(
    'vim edits a file and follows the window when it is resized',
    { skip: !hasProgram('vim') && 'vim is not installed' },
    async (t: Test) => {
      const folder = mkdtempSync(join(tmpdir(), 'execwire-vim-'));
      t.teardown(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(folder, 'note.txt');
      const screen = new Screen(client, ['vim', '-u', 'NONE', '-N', '-n', '--cmd', 'set shortmess+=I', file]);
      await screen.shows('an empty buffer', (lines) => lines[1] === '~' && lines[ROWS - 2] === '~');
      await screen.type('ihello from far away');
      await screen.shows('the typed text', (lines) => lines[0] === 'hello from far away');
      await screen.resize(12, 60);
      await screen.shows(
        'tildes to the new end',
        (lines) => lines.length === 12 && lines[10] === '~' && lines[0] === 'hello from far away',
      );
      await screen.type('\u001b:wq\r');
      t.equal((await screen.command.result).exitCode, 0);
      t.equal(readFileSync(file, 'utf8'), 'hello from far away\n');
    },
  );

  t.test(
    'Python evaluates typed lines and ends at end-of-file',
    { skip: !hasProgram('python3') && 'python3 is not installed' },
    async (t: Test) => {
      const screen = new Screen(client, ['python3', '-q'], { PYTHON_BASIC_REPL: '1' });
      await screen.shows('a prompt', (lines) => lines[0] === '>>>');
      await screen.type('sum(range(10))\r');
      await screen.showsLine('45');
      await screen.type('def twice(x):\r    return 2 * x\r\r');
      await screen.type('twice(21)\r');
      await screen.showsLine('42');
      await screen.resize(20, 60);
      await screen.type('import os; os.get_terminal_size()\r');
      await screen.showsLine('os.terminal_size(columns=60, lines=20)');
      await screen.command.end();
      t.equal((await screen.command.result).exitCode, 0);
    },
  );
});
