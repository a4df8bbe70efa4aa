/** Refuses calls on a running command that its options leave no room for, before anything is sent. Not in the package for browsers. Knows no connection. */
import type { RunSettings } from './command-handle.js';
import type { CommandPlan } from './command-plan.js';
import { RpcError } from './errors.js';
import { checkOptions } from './option-check.js';

/** What a command is given to read, and how it was started. */
type GivenInput = readonly [data: unknown, plan: CommandPlan, settings: Pick<RunSettings, 'input' | 'stdin'>];

/** @throws {TypeError | RpcError} naming what is wrong with the arguments of a call, or with the options of its command */
export function checkCall(call: string, given: object): void {
  if (call === 'write' || call === 'end') checkInput(call, given as GivenInput);
  else checkOptions(call, given);
}

/** Thrown at the call, because a program that does not wait for its writes would not hear of a loss. */
function checkInput(call: string, [data, plan, settings]: GivenInput): void {
  if (data === '' || plan.start === undefined) return;
  if (!plan.start.params.streamStdin) {
    throw refusal(
      'stdinNotStreamed',
      `${call}: the command was started without \`stdin: 'pipe'\`, so it reads no input`,
    );
  }
  if (settings.input !== undefined && settings.stdin !== 'pipe') {
    const hint = "`stdin: 'pipe'` beside it keeps the input open";
    throw refusal('stdinClosed', `${call}: the input of the command ends behind \`input\`; ${hint}`);
  }
}

function refusal(reason: string, message: string): RpcError {
  return new RpcError({ code: -32600, message, data: { reason } });
}
