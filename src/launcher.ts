/**
 * Runs one of two bundles: the commands that talk to servers, or the server. The first is small and loads nothing of the server.
 *
 * Both run with V8's code cache, so that code is compiled once. This halves what the server adds to the start of Node (measured, Node 20: 200 ms to
 * 120 ms, with 60 ms for Node alone; Node 24: 190 ms to 100 ms, with 26 ms), and takes 10 ms of 45 off each command (processor time, Node 20).
 *
 * The cache lies beside the bundle and nowhere else, because a user who can write there can change the program anyway. The first start on another
 * version of Node writes it, if the folder is writable; without a cache the program only starts slower. `module.enableCompileCache` does the same
 * from Node 22 on, with a cache per file; Node 20 would still need this mechanism.
 */
import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, wrap } from 'node:module';
import { join } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import { Script } from 'node:vm';
import { CLIENT_WORDS } from './cli/client-words.js';
import { keepYoungHeapSmall } from './process/young-heap.js';

const SERVER = 'server.cjs';
const CLIENT_COMMANDS = 'client-commands.cjs';

/** Hashes of the bundles, set by the build. V8 itself compares only the length of the source. */
declare const BUNDLE_HASHES: Readonly<Record<typeof SERVER | typeof CLIENT_COMMANDS, string>>;

/** The server's cache is written when the functions of the start have run. It takes 20 ms, and connections are unlikely so early. */
const WRITE_CACHE_AFTER_MS = 500;

const cacheFolder = join(__dirname, 'cache');

/** V8 accepts a cache only with the same flags and processor; the tag stands for both. */
function cacheFileName(hash: string): string {
  const tag = cachedDataVersionTag().toString(16);
  return `${hash}-${process.version}-${process.arch}-${tag}.bin`;
}

function readCache(cacheFile: string): Buffer | undefined {
  try {
    return readFileSync(cacheFile);
  } catch {
    return undefined;
  }
}

function writeCache(script: Script, cacheFile: string): void {
  const unfinished = `${cacheFile}.${process.pid}`;
  try {
    mkdirSync(cacheFolder, { recursive: true });
    // Before the cache is made, which takes longer than a command may lose each time.
    accessSync(cacheFolder, constants.W_OK);
    writeFileSync(unfinished, script.createCachedData());
    // By a rename, so that no start finds half a file: V8 does not check the content.
    renameSync(unfinished, cacheFile);
  } catch {
    // The folder belongs to another user or is read-only: each start compiles anew.
  }
}

/**
 * Runs a bundle. Flags of V8 have to be set before.
 * @param whenToWrite calls back when the functions of the start have run, if a cache is to be written
 * @returns what the bundle exports
 */
function run(name: keyof typeof BUNDLE_HASHES, whenToWrite: (write: () => void) => void): Record<string, unknown> {
  const bundle = join(__dirname, name);
  const cacheFile = join(cacheFolder, cacheFileName(BUNDLE_HASHES[name]));
  const cachedData = readCache(cacheFile);
  // The build writes only ASCII, and V8 takes text with one byte a character without checking it.
  const script = new Script(wrap(readFileSync(bundle, 'latin1')), {
    filename: bundle,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, __dirname);
  // If V8 rejects it all the same, it is damaged.
  if (cachedData === undefined || script.cachedDataRejected === true) whenToWrite(() => writeCache(script, cacheFile));
  return module.exports;
}

function runServer(): void {
  // BEFORE the cache is read, because it is bound to the flags it was made with.
  keepYoungHeapSmall();
  run(SERVER, (write) => setTimeout(write, WRITE_CACHE_AFTER_MS).unref());
}

function runClientCommand(argv: readonly string[]): void {
  // At the end, when all functions that a command needs are compiled, and nobody waits for the network.
  const { runClientCommand: begin } = run(CLIENT_COMMANDS, (write) => process.once('exit', write));
  (begin as (argv: readonly string[]) => void)(argv);
}

// FIRST: without a listener SIGUSR1 opens Node's debugger, through which every user of this host could run code here. `serve` adds its own.
process.on('SIGUSR1', () => {});
const argv = process.argv.slice(2);
if (CLIENT_WORDS.includes(argv[0] ?? '')) runClientCommand(argv);
else runServer();
