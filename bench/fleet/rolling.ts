/**
 * A rolling restart, batch by batch, on the timeline that docs/operations.md gives: new replicas become ready, old ones leave the balancer, tell their
 * clients, let commands finish, and go. Counts who connects again and when, and how the connections lie at the end.
 *
 *     with a surge:  start → ready → preStop → SIGTERM, out of the balancer → notice: clients move → commands end → gone → next batch
 *     in place:      preStop → SIGTERM → notice → gone → start in the same slot → ready → next batch
 */
import { type FleetSize, measured } from './assumptions.js';
import type { Rule, Slot } from './balancers.js';
import { EventQueue } from './event-queue.js';
import { type Balance, balanceOf, Fleet } from './fleet.js';
import { Random } from './random.js';

export interface RollOptions extends FleetSize {
  readonly rule: Rule;
  /** Whether new replicas start before old ones leave, as in Kubernetes; else each restarts in its place, as with compose or systemd. */
  readonly surge: boolean;
  /** Share of the replicas that restart together; at least one. */
  readonly batchShare: number;
  /** Mean milliseconds of a command. Each client runs one. */
  readonly commandMs: number;
  readonly seed: number;
}

export interface RollFigures {
  readonly batches: number;
  /** Milliseconds from the beginning to the end of the last old replica. */
  readonly durationMs: number;
  readonly movesPerClient: number;
  readonly busiestSecond: number;
  readonly longestHandshakeMs: number;
  readonly before: Balance;
  readonly after: Balance;
  /** Connections of each replica at the end, fewest first. */
  readonly loads: readonly number[];
}

const STEPS = ['ready', 'terminated', 'noticed', 'told', 'gone'] as const;
type Step = (typeof STEPS)[number];

/** Runs one roll over the whole fleet. */
export function simulateRoll(options: RollOptions): RollFigures {
  const { replicas, surge, batchShare, commandMs } = options;
  const batchSize = Math.max(1, Math.round(replicas * batchShare));
  const random = new Random(options.seed);
  const fleet = new Fleet(options, options.rule, random, surge ? batchSize : 0);
  const { balancer } = fleet;
  const queue = new EventQueue();
  const at = (step: Step, slot: Slot, timeMs: number): void =>
    queue.add(timeMs, slot * STEPS.length + STEPS.indexOf(step));
  /** From the start of a replica until the balancer sends it clients. */
  const openMs = measured.readyMs.value + measured.checkMs.value;

  const first = Array.from({ length: replicas }, (_, slot) => slot);
  const before = balanceOf(fleet.loads(first));
  /** Slots of old replicas that are to restart. */
  const old = [...first];
  const renewed: Slot[] = [];
  /** Free slots for new replicas of a surge. */
  const spares = surge ? Array.from({ length: batchSize }, (_, spare) => replicas + spare) : [];
  let leaving: Slot[] = [];
  let pending = 0;
  let batches = 0;
  let durationMs = 0;

  const startBatch = (): void => {
    leaving = old.splice(0, batchSize);
    if (leaving.length === 0) return;
    batches += 1;
    pending = leaving.length;
    const startMs = queue.now;
    if (surge) for (const slot of spares.splice(0, leaving.length)) at('ready', slot, startMs + openMs);
    const termMs = startMs + (surge ? openMs : 0);
    for (const slot of leaving) at('terminated', slot, termMs + measured.preStopMs.value);
  };
  const on: Readonly<Record<Step, (slot: Slot) => void>> = {
    ready: (slot) => {
      balancer.open(slot);
      renewed.push(slot);
      if (surge) return;
      pending -= 1;
      if (pending === 0) startBatch();
    },
    terminated: (slot) => {
      at('noticed', slot, queue.now + random.uniform() * measured.checkMs.value);
      at('told', slot, queue.now + measured.drainDelayMs.value);
    },
    noticed: (slot) => balancer.close(slot),
    told: (slot) => {
      const commands = balancer.connections(slot);
      fleet.moveAll(slot, queue.now);
      const restMs = random.longestExponential(commandMs, commands);
      at('gone', slot, queue.now + Math.min(restMs, measured.drainTimeoutMs.value));
    },
    gone: (slot) => {
      durationMs = queue.now;
      if (!surge) {
        at('ready', slot, queue.now + openMs);
        return;
      }
      spares.push(slot);
      pending -= 1;
      if (pending === 0) startBatch();
    },
  };

  startBatch();
  for (let event = queue.next(); event !== undefined; event = queue.next()) {
    const step = STEPS[event % STEPS.length] ?? 'gone';
    on[step](Math.floor(event / STEPS.length));
  }
  const loads = fleet.loads(renewed);
  return {
    batches,
    durationMs,
    movesPerClient: fleet.moves / fleet.clients,
    busiestSecond: fleet.rate.busiestSecond(),
    longestHandshakeMs: fleet.longestHandshakeMs,
    before,
    after: balanceOf(loads),
    loads,
  };
}
