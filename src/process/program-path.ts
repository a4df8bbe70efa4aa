/**
 * Finds out whether a program can be started, and why not: its name, its directory, its arguments and its environment, by the rules of
 * execvp(3). Paths are looked up off the event loop, because a file system may take for ever to answer. It knows nothing of pipes,
 * terminals or users.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { FileProbe } from './file-probe.js';
import { type Environment, type ProcessSpec, SpawnError } from './os-process.js';

/** Where glibc's execvp looks if the environment has no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';
/** Longest single argument or variable with its NUL: MAX_ARG_STRLEN, 32 pages (linux/binfmts.h). */
const MAX_STRING_BYTES = 131_072;
/** Arguments and environment may take a quarter of the stack, and never more than this (fs/exec.c, 3/4 of 8 MiB). */
const MAX_TOTAL_BYTES = 6 * 1024 * 1024;
/** The kernel grants this much under any stack limit (ARG_MAX of linux/limits.h). */
const MIN_TOTAL_BYTES = 131_072;
/** Each string also costs a pointer. */
const POINTER_BYTES = 8;
/** The kernel reads 256 bytes of a script for its `#!` line; a binary names its loader within its first page. */
const HEAD_BYTES = 4096;
/** "\x7fELF", then 64 bits and little-endian: every Linux that Node has a build for, except s390x. */
const ELF_64_LITTLE = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
/** Program header that names the loader (elf(5)). */
const PT_INTERP = 3;
/** execvp goes on to the next directory of PATH after these. */
const NOT_HERE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENODEV', 'ESTALE', 'ETIMEDOUT']);

/** The parts of a start that name files: the program, PATH in the environment, and the directory. */
export type NamedPaths = Pick<ProcessSpec, 'argv' | 'cwd' | 'env'>;

/**
 * @returns the program's file, absolute or relative to `cwd`: what execvp makes of `argv[0]`.
 * @throws {SpawnError} the errno of the directory or the program.
 */
export async function checkPaths(paths: NamedPaths, files: FileProbe): Promise<string> {
  await checkDirectory(paths, files);
  return findProgram(paths, files);
}

/** @throws {SpawnError} the errno of the directory, which it names. */
export async function checkDirectory({ cwd }: Pick<NamedPaths, 'cwd'>, files: FileProbe): Promise<void> {
  if (cwd === undefined) return;
  const code = await errnoOfPath(cwd, files, { kind: 'directory', otherwise: 'ENOTDIR' });
  if (code !== undefined) throw spawnError(`cwd ${JSON.stringify(cwd)}`, code);
}

/** @returns the program's file, absolute or relative to `cwd`. @throws {SpawnError} the errno of the program, which it names. */
export async function findProgram({ argv, cwd, env }: NamedPaths, files: FileProbe): Promise<string> {
  const [name] = argv;
  if (name.includes('/')) {
    const code = await errnoOfProgram(name, cwd, files);
    if (code !== undefined) throw spawnError(`program ${JSON.stringify(name)}`, code);
    return name;
  }
  let verdict = 'ENOENT';
  for (const directory of name === '' ? [] : pathOf(env).split(':')) {
    const file = directory === '' ? name : `${directory}/${name}`;
    const code = await errnoOfProgram(file, cwd, files);
    if (code === undefined) return file;
    if (code === 'EACCES') verdict = code;
    else if (!NOT_HERE.has(code)) throw spawnError(`program ${JSON.stringify(name)}`, code);
  }
  throw spawnError(`program ${JSON.stringify(name)}`, verdict);
}

function pathOf({ PATH }: Environment): string {
  return typeof PATH === 'object' ? Buffer.from(PATH).toString().slice('PATH='.length) : (PATH ?? DEFAULT_PATH);
}

/** A `SpawnError` whose message explains the operating system's code. */
export function spawnError(subject: string, code: string): SpawnError {
  for (const [name, text] of getSystemErrorMap().values()) {
    if (name === code) return new SpawnError(`${subject}: ${text} (${code})`, code);
  }
  return new SpawnError(`${subject}: ${code}`, code);
}

/** The system's own code of a thrown value, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/**
 * Checks what the kernel would refuse or misunderstand, without looking at any file.
 * @throws {SpawnError} `EINVAL` on a NUL byte or a bad variable name, `E2BIG`
 */
export function checkStrings({ argv, arg0, cwd, env }: ProcessSpec): void {
  if (cwd?.includes('\0') === true) throw spawnError('cwd has a NUL byte', 'EINVAL');
  let total = 0;
  const count = (text: string, extraBytes: number): void => countBytes(Buffer.byteLength(text) + extraBytes);
  const countBytes = (bytes: number): void => {
    if (bytes > MAX_STRING_BYTES) throw spawnError('an argument or variable is too long', 'E2BIG');
    total += bytes + POINTER_BYTES;
  };
  for (const argument of arg0 === undefined ? argv : [...argv, arg0]) {
    if (argument.includes('\0')) throw spawnError('an argument has a NUL byte', 'EINVAL');
    count(argument, 1);
  }
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === 'object') {
      countBytes(value.length + 1);
      continue;
    }
    if (name === '' || name.includes('=') || name.includes('\0')) {
      throw spawnError(`environment variable name ${JSON.stringify(name)}`, 'EINVAL');
    }
    if (value.includes('\0')) throw spawnError(`environment variable ${JSON.stringify(name)} has a NUL byte`, 'EINVAL');
    count(value, Buffer.byteLength(name) + 2);
  }
  // The limit is read only for a long list.
  if (total > MIN_TOTAL_BYTES && total > maxTotalBytes()) throw spawnError('arguments and environment', 'E2BIG');
}

function maxTotalBytes(): number {
  try {
    const stack = /^Max stack size\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return stack === undefined
      ? MAX_TOTAL_BYTES
      : Math.max(MIN_TOTAL_BYTES, Math.min(MAX_TOTAL_BYTES, Number(stack) / 4));
  } catch {
    return MAX_TOTAL_BYTES;
  }
}

async function errnoOfProgram(path: string, cwd: string | undefined, files: FileProbe): Promise<string | undefined> {
  const file = below(cwd, path);
  const code = await errnoOfExecutable(file, files);
  if (code !== undefined) return code;
  const interpreter = await interpreterOf(file, files);
  return interpreter === undefined ? undefined : errnoOfExecutable(below(cwd, interpreter), files);
}

function below(cwd: string | undefined, path: string): string {
  return cwd === undefined || isAbsolute(path) ? path : join(cwd, path);
}

async function errnoOfExecutable(file: string, files: FileProbe): Promise<string | undefined> {
  return errnoOfPath(file, files, { kind: 'file', otherwise: 'EACCES' });
}

/** @returns undefined for a path of this kind that may be executed, or searched */
async function errnoOfPath(
  path: string,
  files: FileProbe,
  { kind, otherwise }: { kind: 'file' | 'directory'; otherwise: string },
): Promise<string | undefined> {
  try {
    if ((await files.kindOf(path)) !== kind) return otherwise;
    await files.checkExecutable(path);
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? 'EINVAL';
  }
}

/** The program that a script's `#!` line or a binary's header names. If it cannot be read, the kernel decides. */
async function interpreterOf(file: string, files: FileProbe): Promise<string | undefined> {
  let head: Buffer;
  try {
    head = await files.readHead(file, HEAD_BYTES);
  } catch {
    return undefined;
  }
  if (head.subarray(0, ELF_64_LITTLE.length).equals(ELF_64_LITTLE)) return loaderOf(head);
  return /^#![ \t]*([^ \t\n\0]+)/.exec(head.toString('utf8'))?.[1];
}

/** The dynamic loader of a binary. Without its loader the kernel answers ENOENT for a program that exists (glibc's programs on Alpine). */
function loaderOf(head: Buffer): string | undefined {
  if (head.length < 64 || head.readUInt16LE(54) === 0) return undefined;
  const table = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const entries = head.readUInt16LE(56);
  for (let at = table; at < table + entries * entryBytes && at + 40 <= head.length; at += entryBytes) {
    if (head.readUInt32LE(at) !== PT_INTERP) continue;
    const start = Number(head.readBigUInt64LE(at + 8));
    const end = start + Number(head.readBigUInt64LE(at + 32)) - 1;
    return end <= head.length ? head.toString('utf8', start, end) : undefined;
  }
  return undefined;
}
