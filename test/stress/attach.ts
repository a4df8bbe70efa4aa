/** The stress of coming back: runs a plan and reports each figure as soon as it is known. Prints nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/server-process.js';
import { cutConnections, killClients } from './attach-cuts.js';
import { chattyCommands, mebibytes, stoppedObserver } from './attach-load.js';
import { runAttachModel } from './attach-model.js';
import type { Figure } from './commands.js';

const MIB = 1024 * 1024;
/** Most memory that may be taken beside kept output: by sockets and objects of the commands, and by garbage that is not collected yet. */
const BESIDE_THE_BUDGET = 160 * MIB;
/** Least speed of the writer beside a stopped observer, as a part of its speed alone. */
const LEAST_SPEED = 0.95;

/** Sizes of all parts. */
export interface AttachPlan {
  readonly modelRuns: number;
  readonly modelMs: number;
  readonly cuts: number;
  readonly killedClients: number;
  readonly chattyCommands: number;
  readonly budgetBytes: number;
  /** 0: nothing is measured. */
  readonly observerRounds: number;
  readonly observerBytes: number;
}

export const WHOLE: AttachPlan = {
  modelRuns: 500,
  modelMs: 120_000,
  cuts: 5000,
  killedClients: 500,
  chattyCommands: 1000,
  budgetBytes: 64 * MIB,
  observerRounds: 15,
  observerBytes: 128 * MIB,
};

/** `npm test` runs this plan. It asserts counts and never a speed. */
export const SHORT: AttachPlan = {
  modelRuns: 30,
  modelMs: 8_000,
  cuts: 100,
  killedClients: 8,
  chattyCommands: 40,
  budgetBytes: 8 * MIB,
  observerRounds: 0,
  observerBytes: 0,
};

/** Runs a plan. */
export async function stressAttach(plan: AttachPlan, onFigure: (figure: Figure) => void): Promise<void> {
  const model = await runAttachModel({ runs: plan.modelRuns, forMs: plan.modelMs });
  onFigure({
    name: 'model',
    text: `${model.runs} histories, ${model.cuts} connections broken at a byte, ${mebibytes(model.outputBytes)} to readers, ${mebibytes(model.gapBytes)} of it in declared gaps`,
    good: model.runs > 0 && model.cuts > 0,
  });
  const folder = mkdtempSync(join(tmpdir(), 'execwire-attach-'));
  const socket = join(folder, 'server');
  const server = await ServerProcess.start({ listen: `unix://${socket}` });
  try {
    const cut = await cutConnections(socket, folder, plan.cuts);
    onFigure({
      name: 'connections cut',
      text: `${cut.cuts} cuts, ${mebibytes(cut.bytes)}, ${cut.lost} bytes lost, ${cut.doubled} doubled, ${cut.wrong} commands with another SHA-256 or input, ${cut.ranTwice} run twice`,
      good: cut.lost + cut.doubled + cut.wrong + cut.ranTwice === 0,
    });
  } finally {
    await server.stop();
  }
  const tcp = await ServerProcess.start();
  try {
    const killed = await killClients(tcp, folder, plan.killedClients);
    onFigure({
      name: 'clients killed',
      text: `${killed.killed} SIGKILLs, ${killed.started} with their command started, ${killed.ranTwice} run twice, ${killed.notRun} not run`,
      good: killed.ranTwice + killed.notRun === 0,
    });
  } finally {
    await tcp.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const chatty = await chattyCommands(plan.chattyCommands, plan.budgetBytes);
  onFigure({
    name: 'detached commands that talk',
    text: `${chatty.commands} commands, ${mebibytes(chatty.outputBytes)} said, at most ${mebibytes(chatty.heldBytes)} held of ${mebibytes(chatty.budgetBytes)}, server grew by ${mebibytes(chatty.grownBytes)}`,
    good: chatty.heldBytes <= chatty.budgetBytes && chatty.grownBytes <= chatty.budgetBytes + BESIDE_THE_BUDGET,
  });
  if (plan.observerRounds === 0) return;
  const { rounds, median, low, high } = await stoppedObserver(plan.observerRounds, plan.observerBytes);
  onFigure({
    name: 'observer that stops reading',
    text: `writer at ${median.toFixed(3)} of its speed alone, 95 % between ${low.toFixed(3)} and ${high.toFixed(3)}, ${rounds} rounds`,
    good: low >= LEAST_SPEED,
  });
}
