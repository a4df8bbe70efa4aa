/** `execwire cp`: copies files and folders to a server or from it. */
import { CONNECTION_FLAGS, credential, JSON_FLAG, serverUrl } from './connection.js';
import { type CopySide, copyFiles } from './copy-files.js';
import { describedCommand } from './described-command.js';
import { CliError, exitCodeOfSignal } from './exit-codes.js';
import { FileClient } from './file-client.js';
import { printJson } from './out-stream.js';
import { say, writeToStderr } from './say.js';
import { type EndSignal, takeEndSignals } from './told-to-end.js';

/** Milliseconds between two lines of progress. */
const PROGRESS_EVERY_MS = 200;
/** Names of one line about what was not copied. */
const MAX_SHOWN_NAMES = 20;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
const STEP = 1000;

export const cp = describedCommand({
  name: 'cp',
  summary: 'Copies files and folders to the server or from it.',
  usage: '[flags] SRC DST',
  flags: [{ name: 'quiet', short: 'q', description: 'Shows no progress.' }, JSON_FLAG, ...CONNECTION_FLAGS],
  notes: `One side is on the server: a colon, then an absolute path. The server must serve files (\`execwire serve --files\`). A folder DST that is
there gets SRC into it; SRC/. stands for what is in SRC. A file DST is replaced. \`-\` is a tar stream of standard input or output.
Modes and times are kept, owners are not. A link that SRC or DST names is followed; links inside of SRC are copied as links. The server
refuses links that lead out of DST. Pipes, sockets and devices are not copied, and are named on standard error.
With --json, bytes counts what was sent or received: tar headers too, where it is a tar. Exit codes: 0; 125 for a refusal, a wrong flag or
no server; 255 when the connection broke; 128+n after a signal.`,
  examples: [
    ['execwire cp report.txt :/srv/reports/', 'Puts a file into a folder of the server.'],
    ['execwire cp :/srv/site/. ./site', 'Gets what is in a folder into ./site.'],
    ['tar c src | execwire cp - :/srv/build', 'Unpacks a tar there.'],
  ],
  maxWords: 2,
  async run(given) {
    const [from, to] = given.words;
    if (from === undefined || to === undefined) throw new CliError('cp needs SRC and DST; see `execwire cp --help`');
    const [source, target] = [sideOf(from), sideOf(to)];
    if (source.isRemote === target.isRemote) {
      const fault = source.isRemote ? 'both sides are on the server' : 'neither side is on the server';
      throw new CliError(`${fault}: write the one that is there with a colon, as :/path`);
    }
    const { token } = credential(given);
    const abort = new AbortController();
    let told: EndSignal | undefined;
    const release = takeEndSignals((signal) => {
      told ??= signal;
      abort.abort();
      process.stdin.destroy();
    });
    const progress = new Progress(process.stderr.isTTY === true && !given.has('quiet') && !given.has('json'));
    try {
      const url = serverUrl(given);
      const files = new FileClient(url, {
        token: typeof token === 'function' ? await token() : token,
        signal: abort.signal,
      });
      const leftOut: string[] = [];
      await copyFiles({
        source,
        target,
        files,
        onBytes: (bytes) => progress.add(bytes),
        onLeftOut: (name) => leftOut.push(name),
      });
      progress.end();
      if (given.has('json')) await printJson({ source: from, target: to, bytes: progress.bytes, leftOut });
      else if (leftOut.length > 0) say(`not copied, because it is no file, folder or link: ${shortList(leftOut)}`);
      return 0;
    } catch (error) {
      progress.end();
      // What was begun is undone by now; the signal says the rest.
      if (told !== undefined) return exitCodeOfSignal(told);
      throw error;
    } finally {
      release();
    }
  },
});

/** @throws {CliError} for a relative path of the server */
function sideOf(word: string): CopySide {
  if (!word.startsWith(':')) return { isRemote: false, text: word };
  const text = word.slice(1);
  if (!text.startsWith('/')) throw new CliError(`${word}: a path of the server is absolute, such as :/srv/file`);
  return { isRemote: true, text };
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, MAX_SHOWN_NAMES).join(', ');
  return names.length > MAX_SHOWN_NAMES ? `${shown} and ${names.length - MAX_SHOWN_NAMES} more` : shown;
}

/** The bytes so far, on one line of a terminal. */
class Progress {
  bytes = 0;
  readonly #isShown: boolean;
  #lastAtMs = performance.now();
  #hasShown = false;

  constructor(isShown: boolean) {
    this.#isShown = isShown;
  }

  add(bytes: number): void {
    this.bytes += bytes;
    if (!this.#isShown || performance.now() - this.#lastAtMs < PROGRESS_EVERY_MS) return;
    this.#lastAtMs = performance.now();
    this.#show('');
  }

  end(): void {
    if (this.#hasShown) this.#show('\n');
  }

  #show(end: string): void {
    this.#hasShown = true;
    // Erases the rest of an earlier, longer line.
    writeToStderr(`\r${sizeText(this.bytes)}\u001b[K${end}`);
  }
}

function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= STEP && unit < UNITS.length - 1) {
    size /= STEP;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`;
}
