/** The tool `list`: shows the agent's commands. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { AgentCommand } from '../agent-command.js';
import { MAX_ENDED } from '../agent-commands.js';
import { endingText, secondsText } from '../result-text.js';
import { toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
/** Characters of a command line that are shown. */
const SHOWN_LINE = 120;

const input = toolInput({
  limit: z
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .default(DEFAULT_LIMIT)
    .describe(`Most lines, 1 to ${MAX_LIMIT}. Default ${DEFAULT_LIMIT}.`),
});

export function addList(server: McpServer, home: ToolHome): void {
  const { commands } = home;
  addTool({ server, home }, 'list', {
    title: 'List commands',
    description: `Lists the commands of this session: those that run first, then those that have ended, the newest first (the last ${MAX_ENDED} are kept). Each line has id, state, bytes of output, and the command.`,
    inputSchema: input,
    annotations: { readOnlyHint: true, openWorldHint: false },
    async run({ limit }) {
      const all = commands.all.reverse();
      const running = all.filter(({ ending }) => ending === undefined);
      const ended = all.filter(({ ending }) => ending !== undefined);
      const rows = [...running, ...ended].slice(0, limit).map(lineOf);
      const left = all.length - rows.length;
      const said = `${running.length} running, ${ended.length} ended.${left > 0 ? ` ${left} more are not shown; give a larger limit.` : ''}`;
      return { content: [said, rows.join('\n')].filter((text) => text !== '').map((text) => ({ type: 'text', text })) };
    },
  });
}

function lineOf(command: AgentCommand): string {
  const { id, ending, output, startedAtMs, isTerminal, line } = command;
  const state =
    ending === undefined ? `running for ${secondsText(performance.now() - startedAtMs)}` : endingText(command, ending);
  const shown = line.replace(/\s+/g, ' ').slice(0, SHOWN_LINE);
  return `${id}  ${state}  ${output.end} bytes${isTerminal ? '  terminal' : ''}  ${shown}`;
}
