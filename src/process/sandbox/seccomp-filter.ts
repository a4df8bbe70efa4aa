/**
 * A small assembler of seccomp filters: from "this call, under these conditions, gets that answer" to the bytes of a classic BPF program.
 * It knows neither policies nor names of calls.
 *
 * Conditional jumps of BPF reach 255 instructions. Every conditional jump here skips one unconditional jump, which reaches everywhere, so
 * that a rule may be as long as it likes.
 */
import { AUDIT_ARCHITECTURE, type SandboxArchitecture } from './syscall-numbers.js';

/** Instructions (linux/bpf_common.h): load a word of the call's data, compare it with a constant, jump, answer. */
const LOAD = 0x20;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_ANY_BIT = 0x45;
const MASK = 0x54;
const ANSWER = 0x06;
/** Offsets in `struct seccomp_data` (linux/seccomp.h); both architectures are little-endian, so the low word of an argument comes first. */
const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;
const ARGUMENT_BYTES = 8;
const HIGH_WORD_OFFSET = 4;
/** Numbers of x64's second ABI have this bit: the same calls under other numbers. */
const X32_BIT = 0x40000000;
const KILL_PROCESS = 0x80000000;
const FAIL = 0x00050000;
const ALLOW = 0x7fff0000;
const EPERM = 1;
const ENOSYS = 38;
/** The kernel takes no longer program (BPF_MAXINSNS of linux/bpf_common.h). */
const MAX_INSTRUCTIONS = 4096;
const INSTRUCTION_BYTES = 8;

/** A filter's answer: the call runs, or it fails with an errno (1 to 4095). */
export type Answer = 'allow' | { readonly errno: number };

/** Something that must hold of one argument. */
export interface Condition {
  /** 0 to 5. */
  readonly argument: number;
  /** Arguments have 64 bits and are compared by halves; most are numbers of 32. Default: `low`. */
  readonly word?: 'low' | 'high';
  /** Bits to look at; the others count as 0. Default: all. */
  readonly mask?: number;
  /**
   * `equal` and `differs` compare with `value`; `anyBit` and `noBit` look at the bits of `value`; `oneOf` compares with each of `values`.
   */
  readonly is:
    | { readonly test: 'equal' | 'differs' | 'anyBit' | 'noBit'; readonly value: number }
    | { readonly test: 'oneOf'; readonly values: readonly number[] };
}

/** The answer to a call when all conditions hold. */
export interface FilterCase {
  readonly answer: Answer;
  readonly when?: readonly Condition[];
}

/** What a call gets: the first case that holds decides, else `otherwise`. */
export interface CallRule {
  readonly number: number;
  readonly cases: readonly FilterCase[];
  /** Default: `allow`. */
  readonly otherwise?: Answer;
}

export interface FilterSource {
  readonly architecture: SandboxArchitecture;
  readonly rules: readonly CallRule[];
  /** Of every call without a rule. Default: `allow`. */
  readonly byDefault?: Answer;
  /** Calls with a higher number get ENOSYS. Default: no bound. */
  readonly newestKnown?: number;
}

type Instruction = readonly [operation: number, ifTrue: number, ifFalse: number, constant: number];

/**
 * The bytes of `struct sock_filter[]`. A process of a foreign architecture is killed, and x64's second ABI gets EPERM: both would reach the
 * same calls under other numbers.
 * @throws {Error} when the rules make a program that the kernel would not take.
 */
export function compileFilter({ architecture, rules, byDefault = 'allow', newestKnown }: FilterSource): Buffer {
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE_OFFSET],
    [JUMP_IF_EQUAL, 1, 0, AUDIT_ARCHITECTURE[architecture]],
    [ANSWER, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER_OFFSET],
  ];
  if (architecture === 'x64') program.push([JUMP_IF_AT_LEAST, 0, 1, X32_BIT], answer({ errno: EPERM }));
  if (newestKnown !== undefined) program.push([JUMP_IF_GREATER, 0, 1, newestKnown], answer({ errno: ENOSYS }));
  for (const rule of rules) {
    const block = [...rule.cases.flatMap(caseBlock), answer(rule.otherwise ?? 'allow')];
    program.push([JUMP_IF_EQUAL, 1, 0, rule.number], [JUMP, 0, 0, block.length], ...block);
  }
  program.push(answer(byDefault));
  return encode(program);
}

/** Gives the case's answer when its conditions hold, else goes on behind it. */
function caseBlock({ answer: given, when = [] }: FilterCase): Instruction[] {
  let block: Instruction[] = [answer(given)];
  // From the last condition to the first, because each skips everything that follows it.
  for (const condition of when.toReversed()) block = [...conditionBlock(condition, block.length), ...block];
  return block;
}

/** Falls through when the condition holds, else skips `rest` instructions behind its own. */
function conditionBlock({ argument, word = 'low', mask, is }: Condition, rest: number): Instruction[] {
  const offset = ARGUMENTS_OFFSET + ARGUMENT_BYTES * argument + (word === 'high' ? HIGH_WORD_OFFSET : 0);
  const load: Instruction[] = [[LOAD, 0, 0, offset]];
  if (mask !== undefined) load.push([MASK, 0, 0, mask]);
  const skip: Instruction = [JUMP, 0, 0, rest];
  switch (is.test) {
    case 'equal':
      return [...load, [JUMP_IF_EQUAL, 1, 0, is.value], skip];
    case 'differs':
      return [...load, [JUMP_IF_EQUAL, 0, 1, is.value], skip];
    case 'anyBit':
      return [...load, [JUMP_IF_ANY_BIT, 1, 0, is.value], skip];
    case 'noBit':
      return [...load, [JUMP_IF_ANY_BIT, 0, 1, is.value], skip];
    case 'oneOf': {
      // Each value that is equal jumps to a hop of its own, which jumps to the end.
      const hops = is.values.flatMap((value, index): Instruction[] => [
        [JUMP_IF_EQUAL, 0, 1, value],
        [JUMP, 0, 0, 2 * (is.values.length - index - 1) + 1],
      ]);
      return [...load, ...hops, skip];
    }
  }
}

function answer(given: Answer): Instruction {
  return [ANSWER, 0, 0, given === 'allow' ? ALLOW : FAIL | given.errno];
}

function encode(program: readonly Instruction[]): Buffer {
  if (program.length > MAX_INSTRUCTIONS) {
    throw new Error(`the filter has ${program.length} instructions, the kernel takes ${MAX_INSTRUCTIONS}`);
  }
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  for (const [index, [operation, ifTrue, ifFalse, constant]] of program.entries()) {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(operation, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(constant >>> 0, at + 4);
  }
  return bytes;
}
