/**
 * Finds the memory that koffi keeps for the calls of the calling thread, which it never gives back: 3 maps and 3 MB of addresses for each thread
 * that has ever been, of the 65,530 maps that a process may have. It frees nothing.
 *
 * The insides of one version of koffi are known here (`InstanceMemory` in its ffi.cc): two mappings of sizes that it tells, a stack with a
 * page before and behind it, and a heap that every call uses from its start. What is not found exactly so is left alone.
 */
import { readFileSync } from 'node:fs';
import type { LibraryHandle } from 'koffi';

/** Another version may have it otherwise, or give the memory back itself. */
const KOFFI_VERSION = '3.3.4';
const PAGE_BYTES = 4096;
/** `ucontext_t` of glibc is 968 bytes; room to spare. */
const CONTEXT_BYTES = 4096;
/** Offset of the stack pointer in it on x64: `uc_mcontext.gregs[REG_RSP]`. */
const STACK_POINTER_OFFSET = 160;

/** A whole mapping or a part of one, in bytes. */
export interface MemoryRange {
  readonly address: number;
  readonly bytes: number;
}

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly rights: string;
}

/** What of koffi's that this finder asks. */
export interface KoffiState {
  readonly version: string;
  config(): { readonly sync_stack_size?: number; readonly sync_heap_size?: number };
}

/**
 * @returns what may be unmapped once the thread has ended; empty on another architecture, C library or version, and when anything is not as expected.
 */
export function callMemory(koffi: KoffiState, lib: LibraryHandle): readonly MemoryRange[] {
  if (koffi.version !== KOFFI_VERSION || process.arch !== 'x64') return [];
  try {
    const { sync_stack_size: stackBytes, sync_heap_size: heapBytes } = koffi.config();
    if (stackBytes === undefined || heapBytes === undefined) return [];
    const stackPointer = pointerIntoStack(lib);
    const heap = pointerToHeap(lib);
    const mappings = ownMappings();
    const stack = mappings.find(({ start, end }) => start <= stackPointer && stackPointer < end);
    const guard = mappings.find(({ end }) => end === stack?.start);
    const isHeap = mappings.some(
      ({ start, end, rights }) => rights === 'rw-p' && start <= heap && heap + heapBytes <= end,
    );
    if (stack === undefined || guard === undefined || !isHeap || heap % PAGE_BYTES !== 0) return [];
    const bytes = PAGE_BYTES + stackBytes + PAGE_BYTES;
    const isStack =
      guard.rights === '---p' &&
      stackPointer <= stack.start + stackBytes &&
      guard.end - PAGE_BYTES + bytes <= stack.end;
    if (!isStack) return [];
    return [
      { address: stack.start - PAGE_BYTES, bytes },
      { address: heap, bytes: heapBytes },
    ];
  } catch {
    return [];
  }
}

/** Calls run on koffi's own stack: where that stands during one. */
function pointerIntoStack(lib: LibraryHandle): number {
  const context = Buffer.alloc(CONTEXT_BYTES);
  const getcontext: (context: Buffer) => number = lib.func('int getcontext(void *context)');
  getcontext(context);
  return Number(context.readBigUInt64LE(STACK_POINTER_OFFSET));
}

/** A text argument is put at the start of the heap; the call gives back where it found the first character. */
function pointerToHeap(lib: LibraryHandle): number {
  const memchr: (text: string, character: number, bytes: number) => number = lib.func(
    'uintptr_t memchr(const char *text, int character, size_t bytes)',
  );
  return Number(memchr('x', 'x'.charCodeAt(0), 1));
}

function ownMappings(): Mapping[] {
  const lines = readFileSync('/proc/self/maps', 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S+) /gm);
  return [...lines].map(([, start = '', end = '', rights = '']) => ({
    start: Number.parseInt(start, 16),
    end: Number.parseInt(end, 16),
    rights,
  }));
}
