/** The tool `write_file`: writes a whole file. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { decodedBase64, writeFile } from '../remote-files.js';
import { pathField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

/** Characters of content: what one message of the wire holds as base64. */
const MAX_CONTENT = 8 * 1024 * 1024;

const input = toolInput({
  path: pathField,
  content: z
    .string()
    .max(MAX_CONTENT)
    .describe(`Everything that the file shall hold, at most ${MAX_CONTENT / 1024 / 1024} MiB.`),
  encoding: z.enum(['utf8', 'base64']).default('utf8').describe('base64 for bytes that are no text. Default utf8.'),
});

export function addWriteFile(server: McpServer, home: ToolHome): void {
  const { connect } = home;
  addTool({ server, home }, 'write_file', {
    title: 'Write a file',
    description: 'Writes a file as a whole: creates it and missing directories above it, or replaces what it held.',
    inputSchema: input,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    async run({ path, content, encoding }, { whileThere }) {
      const bytes = encoding === 'base64' ? decodedBase64(content) : Buffer.from(content);
      const { createdDirectory } = await whileThere({
        unclear:
          'The connection to the server broke, and whether the file was written is unknown: read_file shows it when list says that the connection is back.',
        work: async () => writeFile(await connect(), path, bytes),
      });
      const created = createdDirectory === undefined ? '' : ` Created the directory ${createdDirectory}.`;
      return { content: [{ type: 'text', text: `Wrote ${bytes.length} bytes to ${path}.${created}` }] };
    },
  });
}
