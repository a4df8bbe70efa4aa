/**
 * `npm run bench:agents`: the real Codex agent makes the same turns on this server and on its own one, in turn, and a relay between measures how long the
 * wire was in use for each tool call. `--page` writes bench/agents.md, which bench/report.mjs puts on the page. `--rounds N` changes their number.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runScript } from '../test/agents/agent-run.js';
import { CODEX_VERSION, CodexHome, findCodex, RealServer } from '../test/agents/codex-binary.js';
import type { ScriptStep, ToolCall } from '../test/agents/scripted-model.js';
import { PICTURE_FILE, Workspace } from '../test/agents/turn.js';
import { openMs, WireRecorder } from '../test/agents/wire-recorder.js';
import { ServerProcess } from '../test/support/server-process.js';
import { show } from './results.mjs';
import { median, medianInterval } from './statistics.mjs';

const SECTION = fileURLToPath(new URL('./agents.md', import.meta.url));
/** With fewer, the interval is the whole range. */
const DEFAULT_ROUNDS = '10';
/** Calls of each kind in one turn; the first of a kind is not counted. */
const CALLS = 9;
/** Milliseconds in which the agent looks for the end of a command: the most that it takes. An end comes sooner. */
const LOOK_MS = 30_000;

/** The kinds of calls, and the calls that a turn makes of each. */
const KINDS: Readonly<Record<string, (n: number) => ToolCall>> = {
  'a command (`echo hello`)': () => ({
    name: 'exec_command',
    arguments: { cmd: 'echo hello', yield_time_ms: LOOK_MS },
  }),
  'a command in a terminal (`echo hello`)': () => ({
    name: 'exec_command',
    arguments: { cmd: 'echo hello', yield_time_ms: LOOK_MS, tty: true },
  }),
  'a patch that creates a file in a new folder and changes another one': (n) => {
    const patch = [
      '*** Begin Patch',
      `*** Add File: new-${n}/file.txt`,
      '+created',
      '*** Update File: change.txt',
      '@@',
      n === 0 ? '-old change' : `-change ${n - 1}`,
      `+change ${n}`,
      '*** End Patch',
    ];
    return {
      name: 'exec_command',
      arguments: { cmd: `apply_patch <<'EOF'\n${patch.join('\n')}\nEOF\n`, yield_time_ms: LOOK_MS },
    };
  },
  'a picture (`view_image`)': () => ({ name: 'view_image', arguments: { path: PICTURE_FILE } }),
};
const WHOLE = 'the whole turn, all of these';
const BEGINNING = 'the beginning of a turn: connection, instructions, skills';

/** Milliseconds on the wire, one median for each kind. */
type Figures = Readonly<Record<string, number>>;

/** One turn on one server. @throws {Error} when the agent does not do it whole */
async function measure(bin: string, target: string): Promise<Figures> {
  const recorder = await WireRecorder.start(target);
  const found: Record<string, number[]> = {};
  let wholeMs = 0;
  const calls = Object.entries(KINDS).flatMap(([kind, make]) =>
    Array.from({ length: CALLS }, (_call, n) => ({ kind, call: make(n), isFirst: n === 0 })),
  );
  const keep = (step: number): void => {
    const ms = openMs(recorder.take());
    wholeMs += ms;
    const before = calls[step - 1];
    if (before === undefined) found[BEGINNING] = [ms];
    else if (!before.isFirst) found[before.kind] = [...(found[before.kind] ?? []), ms];
  };
  const steps: ScriptStep[] = calls.map(({ call }, step) => () => {
    keep(step);
    return { calls: [call] };
  });
  steps.push(({ outputs }) => {
    keep(calls.length);
    const failed = [...outputs.values()].filter(
      (text) => !/exited with code 0|^Wall time[\s\S]*Success|input_image/.test(text),
    );
    if (failed.length > 0) throw new Error(`calls were not answered as expected: ${failed[0]}`);
    return { text: 'done' };
  });
  const workspace = new Workspace();
  try {
    const { problems } = await runScript(bin, { url: recorder.url }, { steps, workspace });
    if (problems.length > 0) throw new Error(problems.join('\n'));
  } finally {
    workspace.remove();
    await recorder.close();
  }
  return Object.fromEntries(Object.entries({ ...found, [WHOLE]: [wholeMs] }).map(([kind, all]) => [kind, median(all)]));
}

function section(ours: readonly Figures[], theirs: readonly Figures[]): string {
  const rows = [BEGINNING, ...Object.keys(KINDS), WHOLE].map((kind) => {
    const [one, other] = [ours, theirs].map((figures) => figures.map((each) => each[kind] ?? Number.NaN));
    const ratios = (one ?? []).map((value, round) => value / (other?.[round] ?? Number.NaN));
    const { median: ratio, low, high } = medianInterval(ratios);
    const verdict = low > 1 ? '**slower**' : high < 1 ? 'faster' : 'the same';
    const cells = [
      show(median(one ?? [])),
      show(median(other ?? [])),
      `${show(ratio)} (${show(low)} to ${show(high)})`,
    ];
    return `| ${[kind, ...cells, verdict].join(' | ')} |`;
  });
  const date = new Date().toISOString().slice(0, 10);
  return `## The real agent, beside its own server

${date}; ${ours.length} rounds, each with a turn of the agent of codex ${CODEX_VERSION} on both servers, which of them first changes from round to round;
${cpus().length} cores, Linux ${release()}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)} at the end, because the machine was shared: \`npm run bench:agents -- --rounds ${ours.length} --page\`. Milliseconds in which at least one request of
a tool call, or the process that it started, was open on the wire, seen by a relay between the agent and the server: medians of ${CALLS - 1} calls a turn, then of the rounds. The ratio is
the median of the rounds' ratios, with the 95 % interval of that median behind it. "The same" means that the interval holds 1.

| milliseconds on the wire | execwire | exec-server of codex ${CODEX_VERSION} | ratio | |
| --- | --: | --: | --: | --- |
${rows.join('\n')}
`;
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: DEFAULT_ROUNDS }, page: { type: 'boolean', default: false } },
});
const codex = findCodex();
if (codex.bin === undefined) throw new Error(codex.reason);
const folder = mkdtempSync(join(tmpdir(), 'execwire-bench-'));
const home = new CodexHome({ baseUrl: 'http://127.0.0.1:9', model: 'none' });
const env = home.environment('http://127.0.0.1:9');
const ours = await ServerProcess.start({ env: { HOME: home.root, TMPDIR: home.tmp } });
const real = await RealServer.start(codex.bin, ['exec-server'], { env, cwd: folder });
try {
  const figures: { readonly ours: Figures[]; readonly theirs: Figures[] } = { ours: [], theirs: [] };
  const one = async (): Promise<void> => void figures.ours.push(await measure(codex.bin ?? '', ours.url));
  const other = async (): Promise<void> => void figures.theirs.push(await measure(codex.bin ?? '', real.url));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const turn of round % 2 === 0 ? [one, other] : [other, one]) await turn();
    console.error(`round ${round + 1} of ${values.rounds}`);
  }
  const text = section(figures.ours, figures.theirs);
  console.log(text);
  if (values.page) writeFileSync(SECTION, text);
} finally {
  await Promise.all([ours.stop(), real.stop()]);
  home.remove();
  rmSync(folder, { recursive: true, force: true });
  codex.remove();
}
