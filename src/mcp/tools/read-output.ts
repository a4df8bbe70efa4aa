/** The tool `read_output`: shows output of a command, from an offset, after waiting for something. */
import type { CallToolResult, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { AgentCommand } from '../agent-command.js';
import { commandResult, outputPart, secondsText, stateText } from '../result-text.js';
import { screenOf } from '../screen-text.js';
import { ToolError } from '../tool-error.js';
import { type Wait, type WaitEnd, waitFor } from '../waiting.js';
import { idField, MAX_SECONDS, maxBytesField, secondsField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

const DEFAULT_IDLE_SECONDS = 2;
const DEFAULT_TIMEOUT_SECONDS = 30;
const LONGEST_IDLE_SECONDS = 3_600;
/** Longest pattern. */
const MAX_MATCH = 1_000;

const input = toolInput({
  id: idField,
  from: z
    .int()
    .min(0)
    .optional()
    .describe('Offset in bytes at which to begin. Default: where the last read_output of this command ended.'),
  wait_for: z
    .enum(['none', 'output', 'idle', 'match', 'exit'])
    .optional()
    .describe(
      'What to wait for: new output, idle (no output for idle_seconds), a match, or the exit. The exit always ends the wait. Default none, or match if match is given.',
    ),
  match: z
    .string()
    .min(1)
    .max(MAX_MATCH)
    .optional()
    .describe(
      'Regular expression of JavaScript, looked for from the same offset on; ^ and $ stand for line ends. A match spans at most 4096 bytes.',
    ),
  idle_seconds: secondsField(
    0.05,
    LONGEST_IDLE_SECONDS,
    `With wait_for idle. Default ${DEFAULT_IDLE_SECONDS}.`,
  ).default(DEFAULT_IDLE_SECONDS),
  timeout_seconds: secondsField(
    0,
    MAX_SECONDS,
    `Longest wait; the command goes on after it. Default ${DEFAULT_TIMEOUT_SECONDS}.`,
  ).default(DEFAULT_TIMEOUT_SECONDS),
  max_bytes: maxBytesField,
  view: z
    .enum(['text', 'raw', 'screen'])
    .default('text')
    .describe(
      'text leaves escape sequences out; raw shows every character; screen shows what a terminal shows now, for editors and menus. Default text.',
    ),
});

export function addReadOutput(server: McpServer, home: ToolHome): void {
  const { commands, connect } = home;
  addTool({ server, home }, 'read_output', {
    title: 'Read output',
    description: `Returns the output of a command of start or exec, whether it runs, and how it ended. Waits first, if told to: for a match such as "listening on", for silence, or for the exit. Without from it shows only what is new since the last call; new output over max_bytes loses its middle. With from it shows the first max_bytes from that offset, and says where to go on.`,
    inputSchema: input,
    annotations: { readOnlyHint: true, openWorldHint: false },
    async run(asked, { signal, reporting, whileThere }) {
      const command = commands.named(asked.id);
      checkMatch(asked.wait_for, asked.match);
      const from = asked.from ?? command.cursor;
      const kind = asked.wait_for ?? (asked.match === undefined ? 'none' : 'match');
      const timeoutMs = asked.timeout_seconds * 1000;
      const idleMs = asked.idle_seconds * 1000;
      const wait: Wait = { waitFor: kind, match: asked.match, idleMs, timeoutMs, from };
      const message = (): string => `${stateText(command)} ${command.output.end} bytes of output`;
      const end = await reporting({ totalSeconds: asked.timeout_seconds, message }, waitFor(command, wait, signal));
      // A long wait is a use, too.
      commands.touch(command);
      const status = [stateText(command), ...waitText(end, wait)];
      if (asked.view === 'screen') {
        const screen = await whileThere({
          unclear:
            'The screen was not read: the connection to the server broke. view text shows what came before; try again when list says that it is back.',
          work: async () => screenOf(await connect(), command),
        });
        return screenResult(command, status, screen);
      }
      const cut = asked.from === undefined ? 'middle' : 'end';
      const part = outputPart(command, { from, maxBytes: asked.max_bytes, cut, view: asked.view });
      command.cursor = part.next;
      return commandResult(status, part);
    },
  });
}

/** @throws {ToolError} for a wait that lacks its pattern, and for a pattern that is not looked for */
function checkMatch(kind: Wait['waitFor'] | undefined, match: string | undefined): void {
  if (kind === 'match' && match === undefined) throw new ToolError('match: wait_for match needs it. Give the pattern.');
  if (kind !== undefined && kind !== 'match' && match !== undefined) {
    throw new ToolError(
      `match: wait_for ${kind} looks for no match. Leave wait_for out to wait for the match; the exit ends that wait, too.`,
    );
  }
}

function screenResult(
  command: AgentCommand,
  status: readonly string[],
  { text, cursor }: { text: string; cursor: { row: number; column: number } },
): CallToolResult {
  command.cursor = command.output.end;
  const said = `Screen of ${command.size?.cols} by ${command.size?.rows}, cursor in row ${cursor.row}, column ${cursor.column}:`;
  return commandResult([...status, said], { text, notes: [], next: command.cursor });
}

/** Why the wait is over. */
function waitText({ why, matched = '' }: WaitEnd, { match, idleMs, timeoutMs }: Wait): string[] {
  switch (why) {
    case 'match':
      return [`Matched ${JSON.stringify(matched)}.`];
    case 'idle':
      return [`No output for ${secondsText(idleMs)}.`];
    case 'timeout':
      return [`What was waited for did not come within ${secondsText(timeoutMs)}.`];
    case 'exit':
      return match === undefined ? [] : ['It ended without a match.'];
    default:
      return [];
  }
}
