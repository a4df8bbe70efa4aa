/** The tool `write_file`: writes a whole file. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { decodedBase64, writeFile } from '../remote-files.js';
import { ToolError } from '../tool-error.js';
import { pathField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

/** Bytes of a file: what one message of the wire holds as base64. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Characters of content: so many bytes as base64, with its line ends. */
const MAX_CONTENT = 12 * 1024 * 1024;

const input = toolInput({
  path: pathField,
  content: z
    .string()
    .max(MAX_CONTENT)
    .describe(`Everything that the file shall hold, at most ${MAX_BYTES / 1024 / 1024} MiB of bytes.`),
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
      if (bytes.length > MAX_BYTES) {
        throw new ToolError(
          `content: ${bytes.length} bytes are more than the ${MAX_BYTES} of one call. Write the file in pieces: exec with stdin and cat >> adds at its end.`,
        );
      }
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
