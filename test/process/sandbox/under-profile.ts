/**
 * Restricts itself by a container's seccomp profile and starts another program, which inherits the profile as from a container's runtime. A program,
 * bundled by its test. Arguments: the profile in moby's format, the names and numbers of system calls as JSON, the capabilities of the container
 * (separated by commas), then the program and its arguments.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { kernelCalls } from '../../../src/process/sandbox/kernel-calls.js';
import {
  type CallRule,
  type Condition,
  compileFilter,
  type FilterCase,
} from '../../../src/process/sandbox/seccomp-filter.js';

interface ProfileRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly { index: number; value: number; valueTwo?: number; op: string }[] | null;
  readonly includes?: {
    readonly caps?: readonly string[];
    readonly arches?: readonly string[];
    readonly minKernel?: string;
  };
  readonly excludes?: { readonly caps?: readonly string[]; readonly arches?: readonly string[] };
  readonly errnoRet?: number;
}

const [profilePath = '', numbersPath = '', capabilityList = '', file = '', ...args] = process.argv.slice(2);
const profile: { defaultErrnoRet: number; syscalls: ProfileRule[] } = JSON.parse(readFileSync(profilePath, 'utf8'));
const numbers: Record<string, number> = JSON.parse(readFileSync(numbersPath, 'utf8'));
const capabilities = new Set(capabilityList.split(',').filter((name) => name !== ''));
const ARCHITECTURE = 'amd64';

function applies({ includes = {}, excludes = {} }: ProfileRule): boolean {
  if (includes.arches !== undefined && !includes.arches.includes(ARCHITECTURE)) return false;
  if (excludes.arches?.includes(ARCHITECTURE)) return false;
  if ((includes.caps ?? []).some((name) => !capabilities.has(name))) return false;
  return !(excludes.caps ?? []).some((name) => capabilities.has(name));
}

function conditionOf({ index, value, valueTwo = 0, op }: NonNullable<ProfileRule['args']>[number]): Condition {
  switch (op) {
    case 'SCMP_CMP_EQ':
      return { argument: index, is: { test: 'equal', value } };
    case 'SCMP_CMP_NE':
      return { argument: index, is: { test: 'differs', value } };
    case 'SCMP_CMP_MASKED_EQ':
      return { argument: index, mask: value, is: { test: 'equal', value: valueTwo } };
    // Profiles compare only address families like this, which are small numbers.
    case 'SCMP_CMP_LT':
      return { argument: index, is: { test: 'oneOf', values: Array.from({ length: value }, (_, i) => i) } };
    case 'SCMP_CMP_GT':
      return { argument: index, is: { test: 'oneOf', values: Array.from({ length: 20 }, (_, i) => value + 1 + i) } };
    default:
      throw new Error(`the profile compares by ${op}, which is not known here`);
  }
}

const cases = new Map<number, FilterCase[]>();
for (const rule of profile.syscalls.filter(applies)) {
  for (const name of rule.names) {
    const number = numbers[name];
    if (number === undefined) continue;
    const answer =
      rule.action === 'SCMP_ACT_ALLOW' ? 'allow' : ({ errno: rule.errnoRet ?? profile.defaultErrnoRet } as const);
    const when = (rule.args ?? []).map(conditionOf);
    cases.set(number, [...(cases.get(number) ?? []), { answer, ...(when.length === 0 ? {} : { when }) }]);
  }
}
const byDefault = { errno: profile.defaultErrnoRet };
const rules: CallRule[] = [...cases].map(([number, all]) => ({ number, cases: all, otherwise: byDefault }));
const filter = compileFilter({ architecture: 'x64', rules, byDefault });
const calls = kernelCalls(koffi, koffi.load(null), 'x64');
calls.setNoNewPrivileges();
calls.installFilter(filter);
// The child comes from this thread, the only one that has the profile.
const { status, error } = spawnSync(file, args, { stdio: 'inherit' });
if (error !== undefined) throw error;
process.exitCode = status ?? 1;
