/** Starts terminals and attaches to commands, with the options that the page wants. Knows no screen. */
import type { Box, Run, Terminal, TerminalSize } from '../../client/src/browser.js';

/** A command on the server: a terminal, or one with pipes that is only watched. */
export type Handle = Terminal | Run;

/** What a tab starts. */
export interface CommandToStart {
  readonly command: readonly string[];
  readonly label: string;
  readonly cwd?: string;
}

/** What a tab attaches to. */
export interface CommandToAttach {
  readonly key: string;
  readonly label: string;
  readonly isTty: boolean;
  readonly role: 'writer' | 'observer';
}

/** Milliseconds that a terminal waits for somebody to come back: a closed lid at night. Less where the server's `--max-detached` is less. */
const KEPT_MS = 12 * 3_600_000;
/** Bytes of output that are kept for a page that is away: some minutes of a busy build. Beyond it the oldest go, and the page gets a picture instead. */
const REPLAY_BYTES = 4 * 1024 * 1024;
/** Bytes under way to a page that has not shown them. */
const WINDOW_BYTES = 512 * 1024;

/** The shell that the server's user has. UTF-8, since the page shows nothing else. */
export const SHELL: CommandToStart = {
  command: [
    '/bin/sh',
    '-c',
    '[ -n "$LANG" ] || export LANG=C.UTF-8; [ -x "$SHELL" ] || SHELL=$(command -v bash || command -v sh); exec "$SHELL"',
  ],
  label: 'shell',
};

/** Starts a terminal that outlives the page. Its output is forgotten rather than that it stands still while nobody looks. */
export function startTerminal(box: Box, { command, cwd }: CommandToStart, size: TerminalSize): Terminal {
  const { maxDetached, maxReplayBytes = REPLAY_BYTES } = box.server.limits ?? {};
  return box.terminal(command, {
    ...size,
    ...(cwd === undefined ? {} : { cwd }),
    env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
    detachable: {
      ttl: maxDetached === undefined || maxDetached === 0 ? KEPT_MS : Math.min(KEPT_MS, maxDetached),
      replayBytes: Math.min(REPLAY_BYTES, maxReplayBytes),
      whenFull: 'drop',
    },
    window: WINDOW_BYTES,
    // The screen has it.
    maxBuffer: 0,
  });
}

/** How to attach. */
export interface AttachSettings {
  /** Where the output is to go on; undefined: with a picture of the screen. */
  readonly from: { readonly stdout: number; readonly stderr: number } | undefined;
  readonly cols: number;
  readonly rows: number;
  /** The size that the picture has. */
  readonly onSize: (size: TerminalSize) => void;
}

/** Attaches to a command. A writer takes the place of another one, which may be this page before it was loaded again. */
export function attachTo(
  box: Box,
  { key, isTty, role }: Omit<CommandToAttach, 'label'>,
  { from, cols, rows, onSize }: AttachSettings,
): Handle {
  const common = { role, window: WINDOW_BYTES, maxBuffer: 0, ...(from === undefined ? {} : { from }) };
  if (!isTty) return box.attach(key, common);
  const terminal = box.attachTerminal(key, role === 'writer' ? { ...common, cols, rows } : common);
  if (from === undefined) tellSize(box, terminal, onSize);
  return terminal;
}

/** The notification with the picture names its size. The terminal hears of it first, and the box right after. */
function tellSize(box: Box, terminal: Terminal, onSize: (size: TerminalSize) => void): void {
  let isOurs = false;
  const stops = [
    terminal.onOutput(({ isScreen }) => {
      isOurs = isScreen === true;
      if (!isOurs) stop();
    }),
    box.on('command/exec/screen', ({ size }) => {
      if (!isOurs) return;
      stop();
      onSize(size);
    }),
  ];
  const stop = (): void => {
    for (const take of stops) take();
  };
}

/** How a command ended. */
export interface CommandEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

/** Waits for the end. @throws what the client knows instead */
export async function endOf(handle: Handle): Promise<CommandEnd> {
  return 'result' in handle ? handle.result : handle;
}
