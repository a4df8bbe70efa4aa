/** The tool `list_directory`: shows what a directory holds. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { listDirectory } from '../remote-files.js';
import { ToolError } from '../tool-error.js';
import { pathField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 10_000;

const input = toolInput({
  path: pathField,
  offset: z.int().min(0).default(0).describe('First entry in the order of the list. Default 0.'),
  limit: z
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .default(DEFAULT_LIMIT)
    .describe(`Most entries, 1 to ${MAX_LIMIT}. Default ${DEFAULT_LIMIT}.`),
});

export function addListDirectory(server: McpServer, home: ToolHome): void {
  const { connect } = home;
  addTool({ server, home }, 'list_directory', {
    title: 'List a directory',
    description:
      'Lists what a directory holds, sorted by name, one entry a line: directories end with /, what is neither file nor directory with ?. Not recursive.',
    inputSchema: input,
    annotations: { readOnlyHint: true, openWorldHint: false },
    async run({ path, offset, limit }, { whileThere }) {
      const entries = await whileThere({
        unclear:
          'The directory was not read: the connection to the server broke. Try again when list says that it is back.',
        work: async () => listDirectory(await connect(), path),
      });
      if (offset > entries.length) {
        throw new ToolError(`offset: ${path} has ${entries.length} entries, so nothing begins at ${offset}.`);
      }
      const rows = entries.slice(offset, offset + limit);
      const next = offset + rows.length;
      const said = [`${path}: ${entries.length === 1 ? '1 entry' : `${entries.length} entries`}.`];
      if (offset > 0 || next < entries.length) said.push(`These are ${offset} to ${next}.`);
      if (next < entries.length) said.push(`Go on with offset ${next}.`);
      const lines = rows.map(({ name, kind }) => `${shownName(name)}${MARKS[kind]}`);
      return {
        content: [said.join(' '), lines.join('\n')]
          .filter((text) => text !== '')
          .map((text) => ({ type: 'text', text })),
      };
    },
  });
}

const MARKS = { directory: '/', file: '', other: '?' } as const;

/** A name in one line. */
function shownName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return /[\u0000-\u001f\u007f]/.test(name) ? JSON.stringify(name) : name;
}
