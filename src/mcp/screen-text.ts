/** What a terminal shows, as lines of text: the server's picture of the screen, drawn on a terminal without a window. Knows no tool. */
import type { Box } from '../../client/src/node.js';
import type { AgentCommand } from './agent-command.js';
import { ToolError } from './tool-error.js';

/** A screen. */
export interface ScreenText {
  /** Lines without blanks at their ends; empty lines at the bottom are left out. */
  readonly text: string;
  /** Counted from 1. */
  readonly cursor: { readonly row: number; readonly column: number };
}

/** @throws {ToolError} where there is no screen @throws {RpcError} when the server does not know the terminal any more */
export async function screenOf(box: Box, { id, size, key }: AgentCommand): Promise<ScreenText> {
  if (size === undefined)
    throw new ToolError(`view: command ${id} has no terminal, so it has no screen. Use text or raw.`);
  if (key === undefined) throw new ToolError('view: this server keeps no screens. Use text or raw.');
  const picture = await pictureOf(box, key);
  // A CommonJS module, whose exports esbuild and tsx name; Node alone would put them under `default`.
  const { Terminal } = await import('@xterm/headless');
  const terminal = new Terminal({ ...size, scrollback: 0, allowProposedApi: true, logLevel: 'off' });
  try {
    await new Promise<void>((resolve) => terminal.write(picture, resolve));
    const { active } = terminal.buffer;
    const lines = Array.from({ length: size.rows }, (_, row) =>
      (active.getLine(active.baseY + row)?.translateToString(true) ?? '').trimEnd(),
    );
    return {
      text: lines.join('\n').trimEnd(),
      cursor: { row: active.cursorY + 1, column: active.cursorX + 1 },
    };
  } finally {
    terminal.dispose();
  }
}

/** The picture, as an observer sees it who attaches now. */
async function pictureOf(box: Box, key: string): Promise<Uint8Array> {
  // The smallest window, because the output behind the picture is not read.
  const visitor = box.attachTerminal(key, { role: 'observer', screen: true, window: 1 });
  visitor.result.catch(() => {});
  try {
    for await (const { bytes, isScreen } of visitor.chunks) if (isScreen) return bytes;
    return new Uint8Array(0);
  } finally {
    await visitor.detach().catch(() => {});
  }
}
