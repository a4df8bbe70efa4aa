/** The tool `send_input`: types text and keys, or pipes text. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { AgentCommand } from '../agent-command.js';
import { KEY_NAMES, keyBytes } from '../keys.js';
import { commandResult, endingText, stateText } from '../result-text.js';
import { ToolError } from '../tool-error.js';
import { idField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

/** Most text of one call; more belongs into a file. */
const MAX_TEXT = 1024 * 1024;
const MAX_KEYS = 1_000;
/** What keys do on pipes, where nobody turns them into anything. */
const ON_PIPES: Readonly<Record<string, { readonly text: string } | { readonly signal: string } | 'end'>> = {
  enter: { text: '\n' },
  tab: { text: '\t' },
  space: { text: ' ' },
  'ctrl-c': { signal: 'SIGINT' },
  'ctrl-\\': { signal: 'SIGQUIT' },
  'ctrl-d': 'end',
};

const input = toolInput({
  id: idField,
  text: z
    .string()
    .max(MAX_TEXT)
    .optional()
    .describe('Text, sent first and as it is: a line needs its \\n, or the key enter behind it. At most 1 MiB.'),
  keys: z
    .array(z.string())
    .max(MAX_KEYS)
    .optional()
    .describe(
      `Keys, sent behind the text: ${KEY_NAMES}. Without a terminal only ${Object.keys(ON_PIPES).join(', ')}: ctrl-c sends SIGINT, ctrl-d ends the input.`,
    ),
});

export function addSendInput(server: McpServer, home: ToolHome): void {
  const { commands } = home;
  addTool({ server, home }, 'send_input', {
    title: 'Send input',
    description: `Types text and keys into a command that start has started, or writes text to its standard input. Returns when the command's machine has taken it; read_output with wait_for idle or match shows the answer.`,
    inputSchema: input,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    async run({ id, text = '', keys = [] }, { whileThere }) {
      const command = commands.named(id);
      if (text === '' && keys.length === 0) throw new ToolError('Give text or keys.');
      if (command.ending !== undefined) {
        throw new ToolError(`Command ${id} takes no input any more: ${endingText(command, command.ending)}.`);
      }
      await whileThere({
        unclear:
          'The connection to the server broke. The input goes to the command once, at the latest when the connection is back: do not send it again before read_output shows that it is missing.',
        work: () =>
          command.isTerminal ? command.write(text + keys.map(keyBytes).join('')) : sendThroughPipe(command, text, keys),
      });
      return commandResult([stateText(command), `Sent. Output so far: ${command.output.end} bytes.`]);
    },
  });
}

async function sendThroughPipe(command: AgentCommand, text: string, keys: readonly string[]): Promise<void> {
  const actions = keys.map((key) => {
    const action = ON_PIPES[key.toLowerCase()];
    if (action !== undefined) return action;
    throw new ToolError(
      `keys: ${JSON.stringify(key)} needs a terminal, and command ${command.id} has none. Start it with tty, or send text.`,
    );
  });
  if (text !== '') await command.write(text);
  for (const action of actions) {
    if (action === 'end') await command.endInput();
    else if ('signal' in action) await command.kill(action.signal);
    else await command.write(action.text);
  }
}
