/** `execwire top`: a table of the principal's commands that is drawn again every moment. */
import type { ListedCommand } from '../../client/src/node.js';
import { mayColour } from '../config/client-settings.js';
import { CONNECTION_FLAGS, type Connection, JSON_FLAG, withConnection } from './connection.js';
import { describedCommand } from './described-command.js';
import { exitCodeOfSignal } from './exit-codes.js';
import { bytesText, commandLine, listedCommands, tableText } from './kept-commands.js';
import { LocalTerminal } from './local-terminal.js';
import { printJson, printText } from './out-stream.js';
import { takeAllEndSignals } from './told-to-end.js';

/** Milliseconds between two pictures. */
const INTERVAL_MS = 1_000;
const ESC = '\u001b';
/** A screen of its own, without a cursor. */
const ENTER = `${ESC}[?1049h${ESC}[?25l`;
const HOME = `${ESC}[H`;
const TO_LINE_END = `${ESC}[K`;
const TO_SCREEN_END = `${ESC}[J`;
const Q = 0x71;
const CTRL_C = 0x03;

/** Columns that are left for the command before its key is cut. */
const LEAST_COMMAND_COLS = 30;
/** Characters of a key that is cut: its end tells keys of one client apart. */
const LEAST_KEY_COLS = 9;
/** Columns between two values. */
const GAP_COLS = 2;

/** One look at a command. */
interface Look {
  readonly cpuMs: number;
  readonly atMs: number;
}

export const top = describedCommand({
  name: 'top',
  summary: 'Shows what the commands on the server use, once a second.',
  usage: '[flags]',
  flags: [
    { name: 'once', description: 'Prints one table and ends; so does output that is no terminal.' },
    JSON_FLAG,
    ...CONNECTION_FLAGS,
  ],
  notes: 'Shows all commands of your credential, those without a key included. q or ctrl-c ends it.',
  examples: [
    ['execwire top', 'Watches them.'],
    ['execwire top --json', 'Prints one look for a program.'],
  ],
  maxWords: 0,
  run: (given) =>
    withConnection(given, {}, async (connection) => {
      if (given.has('json')) await printJson(await look(connection));
      else if (given.has('once') || process.stdout.isTTY !== true || !LocalTerminal.isThere) {
        await printText(pictureOf(await look(connection), new Map()));
      } else return watch(connection);
      return 0;
    }),
});

/** Those that run come first, because a window may be too short for all. */
async function look({ box }: Connection): Promise<ListedCommand[]> {
  const commands = await listedCommands(box);
  return commands.sort((one, other) => Number(one.state === 'ended') - Number(other.state === 'ended'));
}

/** @returns the exit code, when somebody ends it */
async function watch(connection: Connection): Promise<number> {
  const local = new LocalTerminal();
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });
  let notice = '';
  connection.onAway = (text) => {
    notice = text;
  };
  connection.onReturn = () => {
    notice = '';
  };
  // BEFORE the terminal is changed: a signal that ends this program at once would leave it so.
  const giveSignalsBack = takeAllEndSignals((signal) => finish(exitCodeOfSignal(signal)));
  local.enterRaw();
  const ignoreKeys = local.onKeys((bytes) => {
    if (bytes.includes(Q)) finish(0);
    else if (bytes.includes(CTRL_C)) finish(exitCodeOfSignal('SIGINT'));
  });
  local.follow(Buffer.from(ENTER));
  process.stdout.write(ENTER);
  const earlier = new Map<number, Look>();
  try {
    for (;;) {
      const commands = await Promise.race([look(connection), finished]);
      if (typeof commands === 'number') return commands;
      draw(pictureOf(commands, earlier, LocalTerminal.size()?.cols), notice);
      const pause = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), INTERVAL_MS));
      const code = await Promise.race([pause, finished]);
      if (code !== undefined) return code;
    }
  } finally {
    ignoreKeys();
    local.restore();
    giveSignalsBack();
  }
}

function draw(picture: string, notice: string): void {
  const { cols, rows } = LocalTerminal.size() ?? { cols: 80, rows: 24 };
  const [heading = '', ...lines] = picture
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(0, cols));
  const shownHeading = mayColour() ? `${ESC}[7m${heading.padEnd(cols)}${ESC}[0m` : heading;
  const shown = [notice.slice(0, cols), shownHeading, ...lines].slice(0, rows - 1);
  process.stdout.write(`${HOME}${shown.map((line) => `${line}${TO_LINE_END}\r\n`).join('')}${TO_SCREEN_END}`);
}

/**
 * @param earlier the last look at each command by its pid, which is brought up to date
 * @param cols width of the window; keys are cut so that the command can be seen. Default: nothing is cut
 */
function pictureOf(commands: readonly ListedCommand[], earlier: Map<number, Look>, cols?: number): string {
  const atMs = performance.now();
  const rows = commands.map((command) => {
    const { key, pid, state, cpuMs, rssBytes, bytesIn = 0, bytesOut = 0, attachments = 0, startedAtMs } = command;
    const last = pid === null ? undefined : earlier.get(pid);
    const sinceMs = last === undefined ? Date.now() - startedAtMs : atMs - last.atMs;
    const usedMs = typeof cpuMs === 'number' ? cpuMs - (last?.cpuMs ?? 0) : undefined;
    if (pid !== null && typeof cpuMs === 'number') earlier.set(pid, { cpuMs, atMs });
    const cpu = usedMs === undefined || sinceMs <= 0 ? '-' : `${Math.max(0, (usedMs / sinceMs) * 100).toFixed(1)}`;
    const memory = typeof rssBytes === 'number' ? bytesText(rssBytes) : '-';
    return [
      key ?? '-',
      String(pid ?? '-'),
      state,
      cpu,
      memory,
      bytesText(bytesIn),
      bytesText(bytesOut),
      String(attachments),
      commandLine(command),
    ];
  });
  const living = new Set(commands.map(({ pid }) => pid));
  for (const pid of earlier.keys()) if (!living.has(pid)) earlier.delete(pid);
  const table = [['KEY', 'PID', 'STATE', 'CPU%', 'MEM', 'IN', 'OUT', 'ATT', 'COMMAND'], ...rows];
  return tableText(cols === undefined ? table : withShortKeys(table, cols));
}

/** Cuts the keys, which are in the first column, as far as the command in the last one needs it. */
function withShortKeys(table: readonly (readonly string[])[], cols: number): readonly (readonly string[])[] {
  const columns = table[0]?.length ?? 0;
  const widthOf = (column: number): number => Math.max(...table.map((row) => row[column]?.length ?? 0));
  let others = GAP_COLS * (columns - 1);
  for (let column = 1; column < columns - 1; column += 1) others += widthOf(column);
  const room = Math.max(LEAST_KEY_COLS, cols - others - LEAST_COMMAND_COLS);
  return table.map(([key = '', ...row]) => [shortKey(key, room), ...row]);
}

function shortKey(key: string, cols: number): string {
  if (key.length <= cols) return key;
  const end = Math.floor((cols - 1) / 2);
  return `${key.slice(0, cols - 1 - end)}…${key.slice(-end)}`;
}
