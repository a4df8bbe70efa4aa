// One turn of an agent, as a script, with the folder that it works in: commands one by one and two at once, a terminal with input and ^C, a background
// server that the next command uses, patches that create, change, delete and move files, a picture. Knows no server.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScriptStep, ToolCall } from './scripted-model.js';

/** A picture of one pixel. */
const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
/** Milliseconds for which the agent waits for a command before it looks again. */
const LOOK_MS = 1500;
/** Looks at one command: two minutes on a very busy machine. */
const MAX_LOOKS = 80;
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
    writeFileSync(join(this.path, 'picture.png'), Buffer.from(PICTURE, 'base64'));
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
  return { name: 'exec_command', arguments: { cmd, yield_time_ms: LOOK_MS, ...more } };
}

function keys(session: number, chars: string): ToolCall {
  return { name: 'write_stdin', arguments: { session_id: session, chars, yield_time_ms: LOOK_MS } };
}

/** Everything that one call of a step was answered, over all rounds. */
export function answerOf(outputs: ReadonlyMap<string, string>, step: number, call = 0): string {
  const id = new RegExp(`^resp_${step}(\\.\\d+)?_${call}$`);
  return [...outputs].flatMap(([name, text]) => (id.test(name) ? [text] : [])).join('\n');
}

/** The number of a command that goes on. */
function sessionOf(outputs: ReadonlyMap<string, string>, step: number): number {
  const [, id] = /session ID (\d+)/.exec(answerOf(outputs, step)) ?? [];
  if (id === undefined) throw new Error(`step ${step} says no session: ${answerOf(outputs, step)}`);
  return Number(id);
}

/**
 * A step that looks at its commands until they have said something.
 * @param of the step that started the first command; default: this one
 */
function until(
  step: number,
  pattern: RegExp,
  { calls, of = step }: { readonly calls: (outputs: ReadonlyMap<string, string>) => ToolCall[]; readonly of?: number },
): ScriptStep {
  return ({ outputs, round }) => {
    if (round === 0) return { calls: calls(outputs), again: true };
    if (pattern.test(answerOf(outputs, step))) return { isOver: true };
    if (round > MAX_LOOKS) throw new Error(`step ${step} does not say ${pattern}: ${answerOf(outputs, step)}`);
    return { calls: [keys(sessionOf(outputs, of), '')], again: true };
  };
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

/** What the tools must answer, by step and call. */
export const ANSWERS: Readonly<Record<string, RegExp>> = {
  '1.0': /exited with code 0[\s\S]*hello\n/,
  '2.0': /exited with code 3[\s\S]*one\n/,
  '2.1': /exited with code 0[\s\S]*two\n/,
  '3.0': /session ID \d+[\s\S]*ready/,
  '4.0': /got typed/,
  '5.0': /exited with code/,
  '6.0': /session ID \d+[\s\S]*serving/,
  '7.0': /exited with code 0[\s\S]*answer to question\n/,
  '8.0': /Success|new\/file\.txt/,
  '9.0': /image|Success|attached/,
  '10.0': /exited with code 0[\s\S]*line 30\n/,
};

export interface TurnOptions {
  /** Shell text in the first command. */
  readonly first?: string;
  /** Shell text in the middle of the last command, which takes a while. */
  readonly middle?: string;
}

/** The steps. @param word names a folder for pipes */
export function turnSteps(word: string, { first = '', middle = '' }: TurnOptions = {}): ScriptStep[] {
  const terminal = { tty: true };
  const typing = 'echo ready; read -r line; echo got $line; exec sleep 600';
  // Pipes are no files that are compared, and go with the folder.
  const pipes = `.pipes-${word}`;
  const serving = `(read -r q < ${pipes}/ask; echo answer to $q > ${pipes}/tell; exec sleep 30) & echo serving`;
  const lines = (from: number, to: number, more = ''): string =>
    `for i in $(seq ${from} ${to}); do echo line $i; ${more} done;`;
  return [
    until(1, ENDED, { calls: () => [command(`${first} echo hello > a.txt; cat a.txt`)] }),
    until(2, ENDED, { calls: () => [command('echo one; exit 3'), command('echo two')] }),
    until(3, /ready/, { calls: () => [command(typing, terminal)] }),
    until(4, /got typed/, { calls: (outputs) => [keys(sessionOf(outputs, 3), 'typed\n')], of: 3 }),
    until(5, ENDED, { calls: (outputs) => [keys(sessionOf(outputs, 3), '\x03')], of: 3 }),
    until(6, /serving/, { calls: () => [command(`mkdir -p ${pipes}; mkfifo ${pipes}/ask ${pipes}/tell; ${serving}`)] }),
    until(7, ENDED, { calls: () => [command(`echo question > ${pipes}/ask; cat ${pipes}/tell`)] }),
    // The agent does not run this: it takes the patch itself, and makes requests about files.
    () => ({ calls: [command(`apply_patch <<'EOF'\n${PATCH}EOF\n`)] }),
    () => ({ calls: [{ name: 'view_image', arguments: { path: 'picture.png' } }] }),
    until(10, ENDED, { calls: () => [command(`${lines(1, 10)} ${middle} ${lines(11, 30, 'sleep 0.02;')}`)] }),
    () => ({ text: 'done' }),
  ];
}
