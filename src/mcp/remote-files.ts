/** Files of the machine that commands run on, by the server's `fs/*` methods. Knows no tool. */
import { fieldOf, RpcError } from '../../client/src/errors.js';
import type { Box } from '../../client/src/node.js';
import { lacksMethod, sentence, ToolError, toolErrorOf } from './tool-error.js';

/** What a directory holds. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'other';
}

/** The piece of a file from an offset on, and the size of the whole file. @throws {ToolError} */
export async function readFilePiece(
  box: Box,
  path: string,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<{ bytes: Buffer; size: number }> {
  const result = await ask(box, 'fs/readFile', { path, offset, limit });
  const [data, size] = [fieldOf(result, 'dataBase64'), fieldOf(result, 'size')];
  if (typeof data !== 'string') throw new ToolError("The server's answer to fs/readFile has no dataBase64.");
  const bytes = Buffer.from(data, 'base64');
  // Other servers of this protocol know no pieces, and send the whole file.
  const whole = typeof size === 'number' ? undefined : bytes;
  const allBytes = typeof size === 'number' ? size : bytes.length;
  if (offset > allBytes) {
    throw new ToolError(`offset: ${path} has ${allBytes} bytes, so nothing begins at ${offset}.`);
  }
  return { bytes: whole?.subarray(offset, offset + limit) ?? bytes, size: allBytes };
}

/** Writes a whole file, and the directories above it where they are missing. @throws {ToolError} */
export async function writeFile(
  box: Box,
  path: string,
  bytes: Buffer,
): Promise<{ createdDirectory: string | undefined }> {
  const params = { path, dataBase64: bytes.toString('base64') };
  const directory = path.replace(/\/+[^/]*$/, '') || '/';
  try {
    await ask(box, 'fs/writeFile', params);
    return { createdDirectory: undefined };
  } catch (error) {
    if (!(error instanceof ToolError) || !isMissing(error.cause)) throw error;
    if (await exists(box, directory)) throw error;
  }
  await ask(box, 'fs/createDirectory', { path: directory, recursive: true });
  await ask(box, 'fs/writeFile', params);
  return { createdDirectory: directory };
}

/** What a directory holds, sorted by name. @throws {ToolError} */
export async function listDirectory(box: Box, path: string): Promise<DirectoryEntry[]> {
  const result = await ask(box, 'fs/readDirectory', { path });
  const entries = fieldOf(result, 'entries');
  if (!Array.isArray(entries)) throw new ToolError("The server's answer to fs/readDirectory has no entries.");
  const named = entries.map((entry): DirectoryEntry => {
    const other = fieldOf(entry, 'isFile') === true ? 'file' : 'other';
    return {
      name: String(fieldOf(entry, 'fileName')),
      kind: fieldOf(entry, 'isDirectory') === true ? 'directory' : other,
    };
  });
  return named.sort((one, two) => (one.name < two.name ? -1 : 1));
}

/** @throws {ToolError} for text that is no base64 */
export function decodedBase64(text: string): Buffer {
  const clean = text.replace(/\s+/g, '');
  const bytes = Buffer.from(clean, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== clean.replace(/=+$/, '')) {
    throw new ToolError('content: this is no base64. Give the bytes in base64, or the text itself with encoding utf8.');
  }
  return bytes;
}

async function exists(box: Box, path: string): Promise<boolean> {
  return ask(box, 'fs/getMetadata', { path }).then(
    () => true,
    () => false,
  );
}

/** Whether a path, or a directory above it, does not exist. */
function isMissing(error: unknown): boolean {
  return error instanceof RpcError && /\(os error 2\)|ENOENT|no such file/i.test(error.message);
}

interface FileParams {
  readonly path: string;
  readonly offset?: number;
  readonly limit?: number;
  readonly recursive?: boolean;
  readonly dataBase64?: string;
}

async function ask(box: Box, method: string, params: FileParams): Promise<unknown> {
  try {
    return await box.request(method, params);
  } catch (error) {
    if (lacksMethod(error)) {
      throw new ToolError(
        `This server has no ${method}: it is older, or files are switched off there. Use exec with cat, tee or ls.`,
        { cause: error },
      );
    }
    const { message } = toolErrorOf(error);
    const advice =
      error instanceof RpcError && isMissing(error)
        ? ' list_directory of the directory above shows what is there.'
        : '';
    throw new ToolError(`${params.path}: ${sentence(message)}${advice}`, { cause: error });
  }
}
