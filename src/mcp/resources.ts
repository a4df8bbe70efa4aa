/** The commands of an agent as resources: running ones are listed, and each can be read by its id. Knows no tool. */
import { type McpServer, ResourceNotFoundError, ResourceTemplate } from '@modelcontextprotocol/server';
import type { AgentCommand } from './agent-command.js';
import type { AgentCommands } from './agent-commands.js';
import { outputPart, stateText } from './result-text.js';
import { ToolError } from './tool-error.js';

/** Bytes of output in one reading: the beginning and the end of longer output. */
const SHOWN_BYTES = 20_000;
const SCHEME = 'execwire://commands/';
/** Characters of a command line in a title. */
const SHOWN_LINE = 80;

export function addResources(server: McpServer, commands: AgentCommands): void {
  const template = new ResourceTemplate(`${SCHEME}{id}`, {
    list: () => ({ resources: commands.running.map(resourceOf) }),
    complete: { id: (begun) => commands.all.map(({ id }) => id).filter((id) => id.startsWith(begun)) },
  });
  const about = {
    title: 'Commands',
    description: 'State and output of a command: its beginning and its end, 20000 bytes at most.',
    mimeType: 'text/plain',
  };
  server.registerResource('command', template, about, (uri, { id = '' }) => {
    const command = commandOf(commands, String(id), uri.href);
    const { text, notes } = outputPart(command, { from: 0, maxBytes: SHOWN_BYTES, cut: 'middle', view: 'text' });
    const said = [`${stateText(command)} ${notes.join(' ')}`, `$ ${command.line}`, text].join('\n');
    return { contents: [{ uri: uri.href, mimeType: 'text/plain', text: said }] };
  });
}

function commandOf(commands: AgentCommands, id: string, uri: string): AgentCommand {
  try {
    return commands.named(id);
  } catch (error) {
    if (error instanceof ToolError) throw new ResourceNotFoundError(uri);
    throw error;
  }
}

function resourceOf({ id, line }: AgentCommand) {
  const title = line.replace(/\s+/g, ' ').slice(0, SHOWN_LINE);
  return { uri: `${SCHEME}${id}`, name: id, title, mimeType: 'text/plain' };
}
