/**
 * Runs the bundled server with V8's code cache: what was compiled once is not compiled again. This halves what the program adds to the
 * start of Node (measured, Node 20: 200 ms from 60 for bare Node to 120; Node 24: 190 from 26 to 100). It knows nothing of the server.
 *
 * The cache lies beside the bundle and nowhere else, because whoever can write there can change the program anyway. The first start on
 * another Node writes it, where the folder can be written to; without one the program only starts slower. `module.enableCompileCache`
 * does the same from Node 22 on, with a cache per file, and so a second mechanism would be needed for Node 20.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, wrap } from 'node:module';
import { join } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import { keepYoungHeapSmall } from './process/young-heap.js';

/** Hash of the bundle, put in by the build: V8 itself compares no more than the length of the source. */
declare const BUNDLE_HASH: string;

/** The cache is made when the functions of the start have run, and no connection is likely to notice its 20 ms. */
const WRITE_CACHE_AFTER_MS = 500;

const bundle = join(__dirname, 'server.cjs');
const cacheFolder = join(__dirname, 'cache');

/** V8 takes a cache only under the flags and on the processor it was made with, which this number stands for. */
function cacheFileName(): string {
  const tag = cachedDataVersionTag().toString(16);
  return `${BUNDLE_HASH}-${process.version}-${process.arch}-${tag}.bin`;
}

function readCache(): Buffer | undefined {
  try {
    return readFileSync(cacheFile);
  } catch {
    return undefined;
  }
}

function writeCache(script: Script): void {
  const unfinished = `${cacheFile}.${process.pid}`;
  try {
    mkdirSync(cacheFolder, { recursive: true });
    writeFileSync(unfinished, script.createCachedData());
    // Never half a file: V8 does not check the content.
    renameSync(unfinished, cacheFile);
  } catch {
    // A folder of somebody else's, or read-only: each start compiles for itself.
  }
}

// BEFORE the cache is read: it is bound to the flags it was made with.
keepYoungHeapSmall();
// AFTER every flag was set.
const cacheFile = join(cacheFolder, cacheFileName());
const cachedData = readCache();
// The build writes ASCII only, and as one byte a character V8 takes it without a look.
const script = new Script(wrap(readFileSync(bundle, 'latin1')), {
  filename: bundle,
  ...(cachedData === undefined ? {} : { cachedData }),
});
const serverModule = { exports: {} };
script.runInThisContext()(serverModule.exports, createRequire(bundle), serverModule, bundle, __dirname);
// One that V8 refuses all the same is damaged.
if (cachedData === undefined || script.cachedDataRejected === true)
  setTimeout(() => writeCache(script), WRITE_CACHE_AFTER_MS).unref();
