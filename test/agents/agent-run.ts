// Runs one turn of the real agent against a server, and tells what became of it. Knows no server.
import { CodexHome, runToEnd, type SandboxMode } from './codex-binary.js';
import { ScriptedModel, type ScriptStep } from './scripted-model.js';
import { ANSWERS, answersOf, CHANGED_FILES, plainAnswer, Workspace } from './turn.js';

/** No metadata of this model are in the program, so that every version gives it the same tools. */
const MODEL = 'scripted-model';
/** Milliseconds for one turn on a very busy machine. */
const TURN_LIMIT_MS = 300_000;

/** How the agent finds its machine, and what sandbox it asks for there. */
export type Machine = { readonly sandboxMode?: SandboxMode } & (
  | /** By CODEX_EXEC_SERVER_URL. */ { readonly url: string }
  | /** By environments.toml. */ { readonly environments: string }
);

export interface Turn {
  readonly files: Readonly<Record<string, string>>;
  /** What the tools answered, as {@link plainAnswer} makes it. */
  readonly answers: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

/** How an agent ended that a script drove. */
export interface Scripted {
  readonly outputs: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

/** Runs the agent with a script in a folder. */
export async function runScript(
  bin: string,
  machine: Machine,
  { steps, workspace }: { readonly steps: readonly ScriptStep[]; readonly workspace: Workspace },
): Promise<Scripted> {
  const model = await ScriptedModel.start(steps);
  const { sandboxMode = 'danger-full-access' } = machine;
  const environments = 'environments' in machine ? { environments: machine.environments } : {};
  const home = new CodexHome({ baseUrl: `${model.origin}/v1`, model: MODEL, sandboxMode, ...environments });
  const env = home.environment(model.origin);
  if ('url' in machine) env.CODEX_EXEC_SERVER_URL = machine.url;
  try {
    const args = ['exec', '--skip-git-repo-check', '-C', workspace.path, 'go on'];
    const ran = await runToEnd(bin, args, { env, cwd: workspace.path, limitMs: TURN_LIMIT_MS });
    const problems = [
      ...(ran.code === 0 ? [] : [`the agent ended with ${ran.code}: ${ran.stderr.slice(-500)}`]),
      ...(model.stepsTaken === steps.length ? [] : [`${model.stepsTaken} of ${steps.length} steps were taken`]),
      ...model.failures.map((failure) => `a step failed: ${failure}`),
    ];
    return { outputs: model.outputs, problems };
  } finally {
    await model.stop();
    home.remove();
  }
}

/** Runs the whole turn in a folder of its own, and checks its answers and files. @param makeSteps of {@link turnSteps} */
export async function runTurn(bin: string, machine: Machine, makeSteps: () => ScriptStep[]): Promise<Turn> {
  const workspace = new Workspace();
  const before = workspace.files();
  try {
    const { outputs, problems } = await runScript(bin, machine, { steps: makeSteps(), workspace });
    const files = workspace.files();
    const answers = Object.fromEntries(
      Object.keys(ANSWERS).map((id) => {
        const [step = 0, call = 0] = id.split('.').map(Number);
        return [id, plainAnswer(answersOf(outputs, step, call)).replaceAll(workspace.path, 'FOLDER')];
      }),
    );
    return { files, answers, problems: [...problems, ...answerProblems(answers), ...fileProblems(before, files)] };
  } finally {
    workspace.remove();
  }
}

function answerProblems(answers: Readonly<Record<string, string>>): string[] {
  return Object.entries(ANSWERS).flatMap(([id, expected]) =>
    answers[id] === expected ? [] : [`${id} was answered with ${JSON.stringify(answers[id])?.slice(0, 400)}`],
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
