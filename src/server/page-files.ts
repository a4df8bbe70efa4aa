/** Reads the built page of the terminal into memory: a document, and files whose names hold their hash. Knows no request. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** One file of the page. */
export interface PageFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
}

/** The page. */
export interface Page {
  readonly document: PageFile;
  /** By name. A file never changes under its name. */
  readonly assets: ReadonlyMap<string, PageFile>;
}

/** The build puts the page beside the server's bundle. */
const FOLDER = join(import.meta.dirname, 'ui');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** @throws {Error} when this build has no page */
export async function loadPage(folder: string = FOLDER): Promise<Page> {
  try {
    const document = await readPageFile(join(folder, 'index.html'));
    const names = await readdir(join(folder, 'assets'));
    const assets = await Promise.all(
      names.map(async (name) => [name, await readPageFile(join(folder, 'assets', name))] as const),
    );
    return { document, assets: new Map(assets) };
  } catch (error) {
    throw new Error(`--ui: the page is not there: ${error instanceof Error ? error.message : error}`);
  }
}

async function readPageFile(path: string): Promise<PageFile> {
  const plain = await readFile(path);
  const type = TYPES[extname(path)] ?? 'application/octet-stream';
  return { type, plain, gzipped: await promisify(gzip)(plain) };
}
