/** The MCP server for one agent: its name, its words of introduction, its tools and resources. Knows no transport. */
import { McpServer } from '@modelcontextprotocol/server';
import { KEPT_TEXT } from './kept-output.js';
import { addResources } from './resources.js';
import { addExec } from './tools/exec.js';
import { addList } from './tools/list.js';
import { addListDirectory } from './tools/list-directory.js';
import { addReadFile } from './tools/read-file.js';
import { addReadOutput } from './tools/read-output.js';
import { addSendInput } from './tools/send-input.js';
import { addStart } from './tools/start.js';
import { addStop } from './tools/stop.js';
import type { ToolHome } from './tools/tool.js';
import { addWriteFile } from './tools/write-file.js';

export interface McpServerOptions extends ToolHome {
  readonly version: string;
  /** What the commands run on, such as `this machine`. */
  readonly place: string;
}

/** Makes the server. Several of them may share the same commands. */
export function makeMcpServer({ version, place, ...home }: McpServerOptions): McpServer {
  const server = new McpServer(
    { name: 'execwire', title: 'execwire', version },
    {
      capabilities: { tools: { listChanged: false }, resources: { listChanged: true } },
      instructions: `Runs commands and terminals and reads and writes files on ${place}. exec for what ends by itself, start for what does not. Results that are cut say how to read the rest; ${KEPT_TEXT}.`,
    },
  );
  for (const add of [
    addExec,
    addStart,
    addReadOutput,
    addSendInput,
    addStop,
    addList,
    addReadFile,
    addWriteFile,
    addListDirectory,
  ]) {
    add(server, home);
  }
  addResources(server, home.commands);
  return server;
}
