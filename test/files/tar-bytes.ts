// Makes tars of any members, hostile ones too.
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';

const BLOCK_BYTES = 512;

export interface Member {
  readonly path: string;
  /** Default: a file. */
  readonly type?: string;
  readonly content?: string;
  readonly linkpath?: string;
  readonly mode?: number;
  readonly mtime?: Date;
}

/** A whole archive. @param isEnded whether the two empty blocks are at its end */
export function tarOf(members: readonly Member[], { isEnded = true }: { isEnded?: boolean } = {}): Buffer {
  const pieces = members.flatMap((member) => memberBytes(member));
  return Buffer.concat([...pieces, Buffer.alloc(isEnded ? 2 * BLOCK_BYTES : 0)]);
}

function memberBytes({
  path,
  type = 'File',
  content = '',
  linkpath,
  mode = 0o644,
  mtime = new Date(1000),
}: Member): Buffer[] {
  const body = Buffer.from(content);
  const fields = { path, size: body.length, mode, mtime, ...(linkpath === undefined ? {} : { linkpath }) };
  const header = new Header(fields);
  header.type = type as typeof header.type;
  const needsMore = header.encode();
  const padding = Buffer.alloc((BLOCK_BYTES - (body.length % BLOCK_BYTES)) % BLOCK_BYTES);
  return [needsMore ? new Pax(fields).encode() : Buffer.alloc(0), header.block ?? Buffer.alloc(0), body, padding];
}

/** An archive of empty files, each behind an extended header of these records. */
export function paxOf(
  members: readonly { readonly path: string; readonly records: Readonly<Record<string, string>> }[],
): Buffer {
  const pieces = members.flatMap(({ path, records }) => {
    const content = Object.entries(records).map(recordOf).join('');
    return [...memberBytes({ path: 'PaxHeader', type: 'ExtendedHeader', content }), ...memberBytes({ path })];
  });
  return Buffer.concat([...pieces, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function recordOf([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return `${length}${rest}`;
}

/** The bytes in pieces of a length. */
export async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Buffer, void, void> {
  for (let from = 0; from < bytes.length; from += length) yield bytes.subarray(from, from + length);
}
