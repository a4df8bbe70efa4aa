/** The tool `start`: starts a command that goes on while the agent does other things. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { KEPT_AWAY_MS } from '../agent-commands.js';
import { commandResult, stateText } from '../result-text.js';
import { commandField, cwdField, envField, secondsField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

/** A working day: an agent that is asked for nothing for so long has forgotten its commands. */
const DEFAULT_TTL_SECONDS = 28_800;
const MAX_TTL_SECONDS = 604_800;
/** Size of a terminal that people open. */
const DEFAULT_SIZE = { cols: 120, rows: 30 };
/** Largest size in cells of either side. */
const MAX_CELLS = 500;

const cells = z.int().min(1).max(MAX_CELLS);
const input = toolInput({
  command: commandField,
  cwd: cwdField,
  env: envField,
  tty: z
    .boolean()
    .default(false)
    .describe(
      'Gives it a terminal, for programs that ask for passwords, draw screens or behave differently without one. Default false.',
    ),
  cols: cells
    .default(DEFAULT_SIZE.cols)
    .describe(`Width of the terminal in characters, 1 to ${MAX_CELLS}. Default ${DEFAULT_SIZE.cols}.`),
  rows: cells
    .default(DEFAULT_SIZE.rows)
    .describe(`Height of the terminal in lines, 1 to ${MAX_CELLS}. Default ${DEFAULT_SIZE.rows}.`),
  ttl_seconds: secondsField(
    1,
    MAX_TTL_SECONDS,
    `The command is ended when no tool has named its id for so long. Default ${DEFAULT_TTL_SECONDS} (8 hours).`,
  ).default(DEFAULT_TTL_SECONDS),
});

export function addStart(server: McpServer, home: ToolHome): void {
  const { commands } = home;
  addTool({ server, home }, 'start', {
    title: 'Start a command',
    description: `Starts a command and returns its id at once: servers, watchers, shells, programs that ask questions. read_output shows its output and how it ended, send_input answers it, stop ends it. Its input stays open.
All commands end when this session ends. If the connection to the machine breaks they go on for ${KEPT_AWAY_MS / 60_000} minutes, and nothing is lost when it comes back.`,
    inputSchema: input,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    async run({ command: asked, cwd, env, tty, cols, rows, ttl_seconds: ttlSeconds }, { signal }) {
      const size = tty ? { cols, rows } : undefined;
      const command = await commands.start(
        { command: asked, cwd, env, hasOpenInput: true, size, ttlMs: ttlSeconds * 1000 },
        signal,
      );
      return commandResult([stateText(command), `Next: read_output {"id": "${command.id}"}.`]);
    },
  });
}
