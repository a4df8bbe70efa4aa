/** The tool `read_file`: shows a piece of a file. */
import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { readFilePiece } from '../remote-files.js';
import { placesText } from '../result-text.js';
import { headEnd, shownText } from '../whole-text.js';
import { pathField, toolInput } from './fields.js';
import { addTool, type ToolHome } from './tool.js';

const DEFAULT_LIMIT_BYTES = 50_000;
const MAX_LIMIT_BYTES = 500_000;

const input = toolInput({
  path: pathField,
  offset: z.int().min(0).default(0).describe('First byte to read. Default 0.'),
  limit: z
    .int()
    .min(1)
    .max(MAX_LIMIT_BYTES)
    .default(DEFAULT_LIMIT_BYTES)
    .describe(`Most bytes to read, 1 to ${MAX_LIMIT_BYTES}. Default ${DEFAULT_LIMIT_BYTES}.`),
  encoding: z
    .enum(['utf8', 'base64'])
    .default('utf8')
    .describe('base64 for files that are no text. Default utf8, where bytes that are no UTF-8 are shown as \ufffd.'),
});

export function addReadFile(server: McpServer, home: ToolHome): void {
  const { connect } = home;
  addTool({ server, home }, 'read_file', {
    title: 'Read a file',
    description:
      'Returns a file, or a piece of it, with its size in bytes. Longer text ends at a line where that is near; the result says at which offset to go on.',
    inputSchema: input,
    annotations: { readOnlyHint: true, openWorldHint: false },
    async run({ path, offset, limit, encoding }, { whileThere }) {
      const { bytes, size } = await whileThere({
        unclear: 'The file was not read: the connection to the server broke. Try again when list says that it is back.',
        work: async () => readFilePiece(await connect(), path, { offset, limit }),
      });
      const isLast = offset + bytes.length >= size;
      const piece = isLast || encoding === 'base64' ? bytes : bytes.subarray(0, headEnd(bytes) || bytes.length);
      const next = offset + piece.length;
      const { text, invalid } = shownText(piece, 'raw', false);
      const said = [`${path}: ${size} bytes; these are bytes ${offset} to ${next}.`];
      if (next < size) said.push(`Go on with offset ${next}.`);
      if (encoding === 'utf8' && invalid > 0) {
        said.push(`${placesText(invalid)}; encoding base64 gives the bytes.`);
      }
      const content = encoding === 'base64' ? piece.toString('base64') : text;
      return {
        content: [said.join(' '), content].filter((part) => part !== '').map((part) => ({ type: 'text', text: part })),
      };
    },
  });
}
