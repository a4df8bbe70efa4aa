/** Runs many commands under many plans in sandboxes of this process, and counts what they leave behind. Knows no server. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadLibc } from '../../src/process/libc.js';
import { runConfined, sandboxesOf } from '../process/sandbox/confined.js';
import { temporaryBase } from '../process/sandbox/playground.js';

/** Commands that run at the same time. */
const WIDTH = 16;

/** More plans than the pool keeps idle threads. */
const MORE_THAN_KEPT_IDLE = 12;

/** Differences to the state after the first plans, when everything is loaded. */
export interface SandboxFigures {
  readonly commands: number;
  readonly plans: number;
  readonly failures: readonly string[];
  readonly threadsStarted: number;
  readonly threads: number;
  readonly descriptors: number;
  /** Memory maps; V8 makes and unmakes some tens. */
  readonly maps: number;
  readonly residentBytes: number;
  readonly commandsPerSecond: number;
}

const countIn = (folder: string): number => readdirSync(folder).length;
const maps = (): number => readFileSync('/proc/self/maps', 'latin1').split('\n').length;

/** Runs the plans one after another, with the same number of commands in each. @param worker the thread's script */
export async function stressSandboxes(worker: string, commands: number, plans: number): Promise<SandboxFigures> {
  const base = temporaryBase(process.getuid?.() ?? 0);
  const sandboxes = sandboxesOf(worker);
  const libc = await loadLibc();
  const failures: string[] = [];
  const perPlan = Math.ceil(commands / plans);
  const runPlan = async (index: number): Promise<void> => {
    const workspace = join(base, String(index));
    mkdirSync(workspace);
    const owner = {};
    let left = perPlan;
    const next = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const got = await runConfined(sandboxes, {
          policy: {
            type: 'workspaceWrite',
            network: index % 2 === 0,
            workspace,
            writableRoots: [],
            excludeSlashTmp: true,
            excludeTmpdirEnvVar: true,
          },
          owner,
          argv: ['/bin/sh', '-c', ': > "$0" && ! true 2>/dev/null > ../outside', `f${left}`],
          cwd: workspace,
          env: {},
        });
        if (!/^0 /.test(got)) failures.push(`plan ${index}: ${got}`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(WIDTH, perPlan) }, next));
    sandboxes.releaseOwner(owner);
    rmSync(workspace, { recursive: true });
  };
  const state = () => {
    globalThis.gc?.();
    libc.trimMemory?.();
    return {
      threads: countIn('/proc/self/task'),
      descriptors: countIn('/proc/self/fd'),
      maps: maps(),
      residentBytes: process.memoryUsage.rss(),
    };
  };
  try {
    // V8's own heap grows during the first thousands of commands of any kind.
    const warmUp = Math.min(plans, Math.max(MORE_THAN_KEPT_IDLE, Math.ceil(plans / 2)));
    for (let index = 0; index < warmUp; index += 1) await runPlan(index);
    const before = state();
    const startedBefore = sandboxes.figures.threadsStarted;
    const startedAtMs = performance.now();
    for (let index = warmUp; index < warmUp + plans; index += 1) await runPlan(index);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const after = state();
    return {
      commands: perPlan * plans,
      plans,
      failures,
      threadsStarted: sandboxes.figures.threadsStarted - startedBefore,
      threads: after.threads - before.threads,
      descriptors: after.descriptors - before.descriptors,
      maps: after.maps - before.maps,
      residentBytes: after.residentBytes - before.residentBytes,
      commandsPerSecond: (perPlan * plans) / seconds,
    };
  } finally {
    await sandboxes.close();
    rmSync(base, { recursive: true });
  }
}
