/** The tool `stop`: ends a command, or sends it a signal. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GRACE_MS } from '../agent-commands.js';
import { commandResult, outputPart, stateText } from '../result-text.js';
import { idField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

/** Bytes of output in the result: the last words of the command. */
const LAST_BYTES = 2_000;
/** Signals that end most programs and are waited for. */
const ENDING = ['SIGTERM', 'SIGKILL'];
const SIGNALS = [
  ...ENDING,
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGSTOP',
  'SIGCONT',
  'SIGWINCH',
] as const;

const input = toolInput({
  id: idField,
  signal: z
    .enum(SIGNALS)
    .default('SIGTERM')
    .describe(
      `SIGTERM is followed by SIGKILL after ${GRACE_MS / 1000} seconds; SIGKILL ends it at once, with everything it started. All others are only sent. Default SIGTERM.`,
    ),
});

export function addStop(server: McpServer, home: ToolHome): void {
  const { commands } = home;
  addTool({ server, home }, 'stop', {
    title: 'Stop a command',
    description:
      'Ends a command with everything it started, waits for its end, and returns how it ended and its last output. Stopping one that has ended does nothing.',
    inputSchema: input,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    async run({ id, signal: name }, { signal, reporting, whileThere }) {
      const command = commands.named(id);
      const ends = ENDING.includes(name);
      const totalSeconds = GRACE_MS / 1000;
      const work = async (): Promise<void> => {
        await command.kill(name, ends ? 'stop' : undefined);
        if (!ends) return;
        await reporting({ totalSeconds, message: () => stateText(command) }, orAborted(command.whenEnded(), signal));
      };
      // The end of a command that has ended needs no connection.
      if (command.ending === undefined) {
        await whileThere({
          unclear: `The connection to the server broke. ${name} is sent when it is back, if it did not arrive: read_output {"id": "${id}"} shows then how the command is.`,
          work,
        });
      }
      if (!ends) return commandResult([`Sent ${name}.`, stateText(command)]);
      const from = Math.max(0, command.output.end - LAST_BYTES);
      return commandResult(
        [stateText(command)],
        outputPart(command, { from, maxBytes: LAST_BYTES, cut: 'middle', view: 'text' }),
      );
    },
  });
}

/** @throws the reason of the signal */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
