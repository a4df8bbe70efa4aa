// Runs one turn of the real agent against a server, and tells what became of it. Knows no server.
import { CodexHome, type Ran, runToEnd } from './codex-binary.js';
import { ScriptedModel, type ScriptStep } from './scripted-model.js';
import { ANSWERS, answerOf, CHANGED_FILES, Workspace } from './turn.js';

/** No metadata of this model are in the program, so that every version gives it the same tools. */
const MODEL = 'scripted-model';
/** Milliseconds for one turn on a very busy machine. */
const TURN_LIMIT_MS = 180_000;

/** How the agent finds its machine. */
export type Machine =
  /** By CODEX_EXEC_SERVER_URL. */
  | { readonly url: string }
  /** By environments.toml. */
  | { readonly environments: string };

export interface Turn {
  readonly ran: Ran;
  readonly files: Readonly<Record<string, string>>;
  /** What the tools answered, without what differs from run to run. */
  readonly answers: Readonly<Record<string, string>>;
  readonly toolMs: readonly number[];
  readonly problems: readonly string[];
}

/** @param makeSteps gets the folder of the turn */
export async function runTurn(
  bin: string,
  machine: Machine,
  makeSteps: (workspace: Workspace) => ScriptStep[],
): Promise<Turn> {
  const workspace = new Workspace();
  const before = workspace.files();
  const steps = makeSteps(workspace);
  const model = await ScriptedModel.start(steps);
  const environments = 'environments' in machine ? { environments: machine.environments } : {};
  const home = new CodexHome({ baseUrl: `${model.origin}/v1`, model: MODEL, ...environments });
  const env = home.environment(model.origin);
  if ('url' in machine) env.CODEX_EXEC_SERVER_URL = machine.url;
  try {
    const args = ['exec', '--skip-git-repo-check', '-C', workspace.path, 'go on'];
    const ran = await runToEnd(bin, args, { env, cwd: workspace.path, limitMs: TURN_LIMIT_MS });
    const files = workspace.files();
    const answers = Object.fromEntries(
      Object.keys(ANSWERS).map((id) => {
        const [step = 0, call = 0] = id.split('.').map(Number);
        return [id, answerOf(model.outputs, step, call).replaceAll(workspace.path, 'FOLDER')];
      }),
    );
    const problems = [
      ...(ran.code === 0 ? [] : [`the agent ended with ${ran.code}: ${ran.stderr.slice(-500)}`]),
      ...(model.stepsTaken === steps.length ? [] : [`${model.stepsTaken} of ${steps.length} steps were taken`]),
      ...model.failures.map((failure) => `a step failed: ${failure}`),
      ...answerProblems(answers),
      ...fileProblems(before, files),
    ];
    return { ran, files, answers, toolMs: model.toolMs, problems };
  } finally {
    await model.stop();
    home.remove();
    workspace.remove();
  }
}

/**
 * An answer without times, numbers of chunks and sessions, and counts, which differ from run to run: what was said, and how it ended. How often the
 * agent looked depends on the speed of the machine.
 */
export function plainAnswer(text: string): string {
  if (!text.startsWith('Chunk ID')) return text;
  const said = text.split(/^Chunk ID: .*\n/m).map((part) => part.split(/^Output:\n/m)[1] ?? '');
  const ends = [...text.matchAll(/^Process (exited with code \d+|running)/gm)].map(([, end]) => end);
  // A signal in a terminal: 128+n here, 1 there.
  const end = ends.at(-1)?.replace(/130$/, '1');
  return `${end}: ${said.map((part) => part.replace(/\n$/, '')).join('')}`;
}

function answerProblems(answers: Readonly<Record<string, string>>): string[] {
  return Object.entries(ANSWERS).flatMap(([id, pattern]) =>
    pattern.test(answers[id] ?? '') ? [] : [`${id} was answered with ${JSON.stringify(answers[id])?.slice(0, 400)}`],
  );
}

function fileProblems(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  const expected: Record<string, string | undefined> = { ...before };
  for (const [name, text] of Object.entries(CHANGED_FILES)) {
    if (text === undefined) delete expected[name];
    else expected[name] = Buffer.from(text).toString('base64');
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(after)]);
  return [...names].flatMap((name) => (expected[name] === after[name] ? [] : [`${name} is not what it should be`]));
}
