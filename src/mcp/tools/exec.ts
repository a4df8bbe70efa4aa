/** The tool `exec`: runs a command to its end. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { AgentCommand } from '../agent-command.js';
import { leavesBackground } from '../background-job.js';
import { KEPT_TEXT } from '../kept-output.js';
import { commandResult, outputPart, stateText } from '../result-text.js';
import { within } from '../time-limit.js';
import { commandField, cwdField, envField, MAX_SECONDS, maxBytesField, secondsField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

/** Below the 60 s after which many agents give a call up. */
const DEFAULT_TIMEOUT_SECONDS = 55;
/** Milliseconds from the timeout to the end of the command, its last output included. */
const END_MS = 5_000;
/** Most input: more belongs into a file. */
const MAX_STDIN = 1024 * 1024;

const input = toolInput({
  command: commandField,
  cwd: cwdField,
  env: envField,
  stdin: z
    .string()
    .max(MAX_STDIN)
    .optional()
    .describe('Text that the command reads. Default: nothing, an end at once.'),
  timeout_seconds: secondsField(
    0.1,
    MAX_SECONDS,
    `The command is killed after so long. Default ${DEFAULT_TIMEOUT_SECONDS}; give more for builds and tests.`,
  ).default(DEFAULT_TIMEOUT_SECONDS),
  max_bytes: maxBytesField,
});

/** What an agent should know for its next call. */
function adviceAfter({ ending }: AgentCommand, asked: string | readonly string[]): string[] {
  if (ending?.cause === 'timeout') {
    return ['Give a larger timeout_seconds, or use start, which has none.'];
  }
  if (ending?.cause === 'exited' && typeof asked === 'string' && leavesBackground(asked)) {
    return ['What it left in the background (&) was ended with it; start keeps such programs running.'];
  }
  return [];
}

export function addExec(server: McpServer, home: ToolHome): void {
  const { commands } = home;
  addTool({ server, home }, 'exec', {
    title: 'Run a command',
    description: `Runs a command to its end and returns how it ended and its output, stdout and stderr together. Every call is a new process: directory and variables do not carry over, and what it leaves in the background (&) ends with it. For servers, watchers and programs that ask questions use start.
At timeout_seconds the command is killed with everything it started, and the output so far is returned. Cancelling the call kills it, too. Output over max_bytes loses its middle; read_output reads it (${KEPT_TEXT}). An exit code other than 0 is a result, not an error of this tool.`,
    inputSchema: input,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    async run(
      { command: asked, cwd, env, stdin, timeout_seconds: seconds, max_bytes: maxBytes },
      { signal, reporting, whileThere },
    ) {
      const timeoutMs = Math.round(seconds * 1000);
      const command = await commands.start(
        { command: asked, cwd, env, input: stdin, hasOpenInput: false, timeoutMs },
        signal,
      );
      const cancel = (): void => void command.kill('SIGTERM', 'cancelled').catch(() => {});
      signal.addEventListener('abort', cancel);
      if (signal.aborted) cancel();
      try {
        const message = (): string => `${stateText(command)} ${command.output.end} bytes of output`;
        const ended = async (): Promise<void> => {
          if (await within(command.whenEnded(), timeoutMs + END_MS)) return;
          // The server ended it by now. Without a connection nobody tells.
          const unclear = `The connection to the server broke, and how command ${command.id} ended is not known yet: read_output {"id": "${command.id}", "from": 0} shows it when list says that the connection is back.`;
          await whileThere({ isBegun: true, unclear, work: () => command.whenEnded() });
        };
        await reporting({ totalSeconds: seconds, message }, ended());
      } finally {
        signal.removeEventListener('abort', cancel);
      }
      const part = outputPart(command, { from: 0, maxBytes, cut: 'middle', view: 'text' });
      command.cursor = part.next;
      return commandResult([stateText(command), ...adviceAfter(command, asked)], part);
    },
  });
}
