// One turn of an agent, as a script, with the folder that it works in: commands one by one and two at once, a terminal with input and ^C, a background
// server that the next command uses, patches that create, change, delete and move files, a picture. Knows no server.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScriptStep, ToolCall } from './scripted-model.js';

/** A file with a picture of one pixel. */
export const PICTURE_FILE = 'picture.png';
const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
/** Milliseconds for which the agent waits for the end of a command before it looks again: the most that it takes. An end comes sooner. */
const END_LOOK_MS = 30_000;
/** Milliseconds for which it waits for output of a command that goes on: it always waits that long. */
const LOOK_MS = 1000;
/** Looks at one command; a look takes a second or more, and on a very busy machine a few are needed. */
const MAX_LOOKS = 200;
const ENDED = /exited with code/;

/** The folder of one turn. */
export class Workspace {
  readonly path = mkdtempSync(join(tmpdir(), 'execwire-turn-'));

  constructor() {
    writeFileSync(join(this.path, 'AGENTS.md'), 'Answer in one word.\n');
    mkdirSync(join(this.path, '.agents/skills/demo'), { recursive: true });
    const skill = '---\nname: demo\ndescription: shows that skills are read\n---\nDo nothing.\n';
    writeFileSync(join(this.path, '.agents/skills/demo/SKILL.md'), skill);
    for (const name of ['change', 'delete', 'move']) writeFileSync(join(this.path, `${name}.txt`), `old ${name}\n`);
    writeFileSync(join(this.path, PICTURE_FILE), Buffer.from(PICTURE, 'base64'));
  }

  /** Every file with its content. */
  files(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const name of readdirSync(this.path, { recursive: true, encoding: 'utf8' }).sort()) {
      const at = join(this.path, name);
      if (statSync(at).isFile()) found[name] = readFileSync(at, 'base64');
    }
    return found;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What must be on the disk after the turn, beside what was there before and is not mentioned. */
export const CHANGED_FILES: Readonly<Record<string, string | undefined>> = {
  'a.txt': 'hello\n',
  'change.txt': 'new change\n',
  'delete.txt': undefined,
  'move.txt': undefined,
  'moved/move.txt': 'new move\n',
  'new/file.txt': 'created\n',
};

function command(cmd: string, more: object = {}): ToolCall {
  return { name: 'exec_command', arguments: { cmd, yield_time_ms: END_LOOK_MS, ...more } };
}

function keys(session: number, chars: string, lookMs = LOOK_MS): ToolCall {
  return { name: 'write_stdin', arguments: { session_id: session, chars, yield_time_ms: lookMs } };
}

/** What one call of a step was answered, one text for each look at its command. */
export function answersOf(outputs: ReadonlyMap<string, string>, step: number, call = 0): string[] {
  const id = new RegExp(`^resp_${step}(\\.\\d+)?_${call}$`);
  return [...outputs].flatMap(([name, text]) => (id.test(name) ? [text] : []));
}

/** The number of a command that goes on. */
function sessionOf(outputs: ReadonlyMap<string, string>, step: number, call = 0): number {
  const answers = answersOf(outputs, step, call).join('\n');
  const [, id] = /session ID (\d+)/.exec(answers) ?? [];
  if (id === undefined) throw new Error(`call ${call} of step ${step} says no session: ${answers}`);
  return Number(id);
}

interface Looking {
  readonly calls: (outputs: ReadonlyMap<string, string>) => ToolCall[];
  /** The step that started the commands. Default: this one. */
  readonly of?: number;
  /** Milliseconds of a look. Default: those for an end. */
  readonly lookMs?: number;
}

/** A step that looks at each of its commands until that has said something. */
function until(step: number, pattern: RegExp, { calls, of = step, lookMs = END_LOOK_MS }: Looking): ScriptStep {
  let first: readonly ToolCall[] = [];
  return ({ outputs, round }) => {
    if (round === 0) {
      first = calls(outputs);
      return { calls: first, again: true };
    }
    const silent = [...first.keys()].filter((call) => !pattern.test(plainAnswer(answersOf(outputs, step, call))));
    if (silent.length === 0) return { isOver: true };
    if (round > MAX_LOOKS) throw new Error(`step ${step} does not say ${pattern}: ${answersOf(outputs, step)}`);
    const looks = silent.map((call) => ({ ...keys(sessionOf(outputs, of, call), '', lookMs), number: call }));
    return { calls: looks, again: true };
  };
}

/**
 * What a call was answered, without times, numbers of chunks and sessions, and counts, which differ from run to run: how it ended, and all that it said.
 * How often the agent looked, and what came in which look, depends on the speed of the machine.
 */
export function plainAnswer(answers: readonly string[]): string {
  const ends = answers.flatMap((text) => [...text.matchAll(/^Process (exited with code \d+|running)/gm)]);
  if (ends.length === 0) return answers.join('').replace(/^Wall time: .*$/gm, 'Wall time');
  const said = answers.map((text) => text.split(/^Output:\n/m)[1] ?? '');
  // A signal in a terminal: 128+n here, 1 there.
  return `${ends.at(-1)?.[1]?.replace(/130$/, '1')}: ${said.join('')}`;
}

const PATCH = `*** Begin Patch
*** Add File: new/file.txt
+created
*** Update File: change.txt
@@
-old change
+new change
*** Delete File: delete.txt
*** Update File: move.txt
*** Move to: moved/move.txt
@@
-old move
+new move
*** End Patch
`;

function numbered(count: number): string {
  return Array.from({ length: count }, (_line, index) => `line ${index + 1}\n`).join('');
}

const PATCHED = ['A new/file.txt', 'M change.txt', 'M moved/move.txt', 'D delete.txt'];
const PATCH_HEAD = 'Wall time\nOutput:\nExit code: 0\nWall time\nOutput:\n';

/** What the tools must answer, by step and call, as {@link plainAnswer} makes it. */
export const ANSWERS: Readonly<Record<string, string>> = {
  '1.0': 'exited with code 0: hello\n',
  '2.0': 'exited with code 3: one\n',
  '2.1': 'exited with code 0: two\n',
  '3.0': 'running: ready\r\n',
  '4.0': 'running: typed\r\ngot typed\r\n',
  '5.0': 'exited with code 1: ^C',
  '6.0': 'running: serving\n',
  '7.0': 'exited with code 0: answer to question\n',
  '8.0': `${PATCH_HEAD}Success. Updated the following files:\n${PATCHED.join('\n')}\n`,
  '9.0': JSON.stringify([{ type: 'input_image', image_url: `data:image/png;base64,${PICTURE}`, detail: 'high' }]),
  '10.0': `exited with code 0: ${numbered(30)}`,
};

export interface TurnOptions {
  /** Shell text in the first command. */
  readonly first?: string;
  /** Shell text in the middle of the last command, which takes a while. */
  readonly middle?: string;
}

/** The steps. @param word names a folder for pipes */
export function turnSteps(word: string, { first = '', middle = '' }: TurnOptions = {}): ScriptStep[] {
  const typing = 'echo ready; read -r line; echo got $line; exec sleep 600';
  // Pipes are no files that are compared, and go with the folder.
  const pipes = `.pipes-${word}`;
  const serving = `(read -r q < ${pipes}/ask; echo answer to $q > ${pipes}/tell; exec sleep 30) & echo serving`;
  const lines = (from: number, to: number, more = ''): string =>
    `for i in $(seq ${from} ${to}); do echo line $i; ${more} done;`;
  const looking = { yield_time_ms: LOOK_MS };
  return [
    until(1, ENDED, { calls: () => [command(`${first} echo hello > a.txt; cat a.txt`)] }),
    until(2, ENDED, { calls: () => [command('echo one; exit 3'), command('echo two')] }),
    until(3, /ready\r\n/, { calls: () => [command(typing, { tty: true, ...looking })], lookMs: LOOK_MS }),
    until(4, /got typed\r\n/, { calls: (outputs) => [keys(sessionOf(outputs, 3), 'typed\n')], of: 3, lookMs: LOOK_MS }),
    until(5, ENDED, { calls: (outputs) => [keys(sessionOf(outputs, 3), '\x03', END_LOOK_MS)], of: 3 }),
    until(6, /serving\n/, {
      calls: () => [command(`mkdir -p ${pipes}; mkfifo ${pipes}/ask ${pipes}/tell; ${serving}`, looking)],
      lookMs: LOOK_MS,
    }),
    until(7, ENDED, { calls: () => [command(`echo question > ${pipes}/ask; cat ${pipes}/tell`)] }),
    // The agent does not run this: it takes the patch itself, and makes requests about files.
    () => ({ calls: [command(`apply_patch <<'EOF'\n${PATCH}EOF\n`)] }),
    () => ({ calls: [{ name: 'view_image', arguments: { path: PICTURE_FILE } }] }),
    until(10, ENDED, {
      // The agent looks once while the command is in its middle.
      calls: () => [command(`${lines(1, 10)} ${middle} ${lines(11, 30, 'sleep 0.02;')}`, middle === '' ? {} : looking)],
    }),
    () => ({ text: 'done' }),
  ];
}
