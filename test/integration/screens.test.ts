/** Compares the screen of a client that came back to a terminal with that of a client that never left, with programs that people use. Knows no offset. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startServer, type TestServer } from '../support/server.js';
import { ShownTerminal } from '../support/shown-terminal.js';
import { until } from '../support/until.js';
import { newKey, View } from '../support/view.js';
import type { WireClient } from '../support/wire-client.js';

t.jobs = 3;

const EXPERIMENTAL = { experimentalApi: true };
const [ROWS, COLS] = [24, 80];
/** How often keys are typed again, and milliseconds in between. */
const MOST_TRIES = 6;
const TRY_MS = 10_000;
/** So few bytes that the log has dropped most of what a program wrote when a user comes back. */
const REPLAY_BYTES = 8192;
const ENV = { TERM: 'xterm-256color', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', PS1: '$ ' };

/** A user at a terminal: a view whose output goes into a terminal without a window. */
class Seat {
  readonly view: View;
  readonly terminal: ShownTerminal;
  #written: Promise<void> = Promise.resolve();
  #isDrawn = false;

  constructor(view: View, rows = ROWS, cols = COLS) {
    this.view = view;
    this.terminal = new ShownTerminal(rows, cols);
    let taken = 0;
    view.onEvent = () => {
      if (view.screen !== undefined && !this.#isDrawn) {
        this.#isDrawn = true;
        const bytes = Buffer.from(view.screen.deltaBase64, 'base64');
        this.#written = this.#written.then(() => this.terminal.write(bytes));
      }
      const all = view.bytes();
      const bytes = all.subarray(taken);
      taken = all.length;
      this.#written = this.#written.then(() => this.terminal.write(bytes));
    };
  }

  async shown(): Promise<object> {
    await this.#written;
    return this.terminal.shown();
  }
}

/** One program, a user who stays, and users who come back. */
class Sitting {
  readonly #t: Test;
  readonly #client: WireClient;
  readonly #key = newKey();
  readonly #stays: Seat;
  readonly #back: Seat[] = [];

  private constructor(t: Test, client: WireClient, command: readonly string[]) {
    this.#t = t;
    this.#client = client;
    const size = { rows: ROWS, cols: COLS };
    const detachable = { key: this.#key, replayBytes: REPLAY_BYTES };
    this.#stays = new Seat(View.start(client, { command, tty: true, size, env: ENV, detachable }));
  }

  static async open(t: Test, server: TestServer, command: readonly string[]): Promise<Sitting> {
    return new Sitting(t, await server.session(EXPERIMENTAL), command);
  }

  async type(keys: string): Promise<void> {
    await this.#stays.view.write(keys);
  }

  /** Resolves when the screen of the user who stayed shows a text, and nothing more comes. */
  async shows(text: string): Promise<void> {
    await until(`the screen shows ${text}`, async () => {
      await this.#stays.shown();
      return this.#stays.terminal.text().includes(text);
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it shows\n${this.#stays.terminal.text()}`);
    });
    await this.#atRest();
  }

  /** Types keys, and types them again when the program throws them away: top empties its input (tcflush) behind a key. */
  async typeUntilShown(keys: string, text: string): Promise<void> {
    const isShown = async (): Promise<boolean> => {
      await this.#stays.shown();
      return this.#stays.terminal.text().includes(text);
    };
    for (let tries = 0; tries < MOST_TRIES && !(await isShown()); tries += 1) {
      await this.type(keys);
      await until(`the screen shows ${text}`, isShown, TRY_MS).catch(() => {});
    }
    await this.shows(text);
  }

  async resize(rows: number, cols: number): Promise<void> {
    await this.#atRest();
    await this.#stays.view.ask('resize', { size: { rows, cols } });
    for (const { terminal } of [this.#stays, ...this.#back]) terminal.resize(rows, cols);
  }

  /** Another user comes back. Asserts that all who came back see the same as the user who stayed. */
  async compare(what: string, rows = ROWS, cols = COLS): Promise<void> {
    const seat = new Seat(View.attach(this.#client, this.#key, { role: 'observer', screen: true }), rows, cols);
    this.#back.push(seat);
    await seat.view.until('the screen has come', () => seat.view.screen !== undefined);
    this.#t.same(seat.view.screen.size, { rows, cols });
    this.#t.equal(seat.view.screen.complete, true);
    await this.#atRest();
    const wanted = await this.#stays.shown();
    for (const [index, back] of this.#back.entries()) {
      this.#t.same(await back.shown(), wanted, `${what}, as user ${index + 1} who came back sees it`);
    }
  }

  async end(): Promise<void> {
    await this.#stays.view.ask('terminate');
    await this.#stays.view.reply;
    await Promise.all(this.#back.map(({ view }) => view.reply));
    for (const { view } of [this.#stays, ...this.#back]) this.#t.same([view.problems, view.gaps], [[], []]);
  }

  /** Resolves when every user has everything that the program wrote, and the program wrote nothing between two requests. */
  async #atRest(): Promise<void> {
    let before = -1;
    await until('nothing more comes', async () => {
      const { result } = await this.#client.request('command/exec/list');
      const { next } = result.commands.find(({ key }: { key: string }) => key === this.#key).stdout;
      const isSame = next === before;
      before = next;
      return isSame && [this.#stays, ...this.#back].every(({ view }) => view.next.stdout === next);
    });
  }
}

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

t.test('bash looks the same to a user who comes back as to one who never left', async (t) => {
  const sitting = await Sitting.open(t, await startServer(t), ['bash', '--norc', '--noprofile', '-i']);
  await sitting.type('for i in $(seq 1500); do printf "\\e[3%dm line %d\\e[0m\\n" $((i % 8)) $i; done; echo do"ne"\n');
  await sitting.shows('done');
  await sitting.compare('a prompt below coloured lines');
  await sitting.type('echo half of a li');
  await sitting.shows('half of a li');
  await sitting.compare('a line that is being typed');
  await sitting.type('\x1b[D\x1b[D\x01\x0b');
  await sitting.compare('the line taken out again');
  await sitting.type(`printf '\\e[5;10r\\e[7;1Hin the mid"dle"'; tput civis\n`);
  await sitting.shows('in the mid');
  await sitting.compare('margins and a hidden cursor');
  await sitting.end();
});

t.test(
  'vim looks the same to a user who comes back as to one who never left',
  { skip: has('vim') ? false : 'vim is not installed' },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'execwire-screens-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'poem.c');
    writeFileSync(file, Array.from({ length: 400 }, (_, line) => `int line${line} = ${line}; /* 漢字 é */`).join('\n'));
    const server = await startServer(t);
    const sitting = await Sitting.open(t, server, ['bash', '--norc', '--noprofile', '-i']);
    await sitting.type(`echo be"fore"; vim -u NONE -N --cmd 'syntax on' -c 'set number ruler' ${file}\n`);
    await sitting.shows('int line0');
    await sitting.compare('the file');
    await sitting.type('50G\x06\x06');
    await sitting.compare('further down');
    await sitting.type(':split\n:set hlsearch\n/line1\n');
    await sitting.compare('two windows and a search');
    await sitting.type('VjjjA');
    await sitting.compare('a selection');
    await sitting.type('\x1bonew text');
    await sitting.shows('new text');
    await sitting.compare('while text is put in');
    await sitting.resize(18, 60);
    await sitting.shows('new text');
    await sitting.compare('in a smaller window', 18, 60);
    await sitting.type('\x1b:qa!\n');
    await sitting.shows('before');
    await sitting.compare('the shell, with what was there before', 18, 60);
    await sitting.end();
  },
);

t.test(
  'top looks the same to a user who comes back as to one who never left',
  { skip: has('top') ? false : 'top is not installed' },
  async (t) => {
    const sitting = await Sitting.open(t, await startServer(t), ['top', '-d', '1000']);
    await sitting.shows('PID');
    await sitting.compare('the first table');
    await sitting.type('z');
    await sitting.compare('in colour');
    await sitting.type('x ');
    await sitting.compare('once more');
    await sitting.typeUntilShown('h', 'Help');
    await sitting.compare('its help');
    await sitting.end();
  },
);

t.test('wide and joined characters look the same to a user who comes back as to one who never left', async (t) => {
  const draw = [
    '漢字かな交じり文\\r\\n',
    '👨‍👩‍👧 e\\u0301 ｆｕｌｌ\\r\\n',
    '\\e[10;79H字\\e[11;80H字 ',
    '\\e[3;2Hx\\e[4;1H한국어\\e[4;2Hy',
    '\\e(0lqqk\\e(B\\e[15;1H\\e[44m  \\e[K\\e[0m\\e[16;5H\\e[7m漢\\e[27m',
  ].join('');
  const command = ['bash', '-c', `stty -echo; printf '${draw}'; while read -r line; do printf "$line"; done`];
  const sitting = await Sitting.open(t, await startServer(t), command);
  await sitting.shows('漢字かな');
  await sitting.compare('the first drawing');
  await sitting.type('語\\e[1;3HZ\n');
  await sitting.compare('characters drawn over it');
  await sitting.end();
});
