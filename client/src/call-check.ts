/** Refuses calls on a running command that its options leave no room for, before anything is sent. Not in the package for browsers. Knows no connection. */
import type { RunSettings } from './command-handle.js';
import type { CommandPlan } from './command-plan.js';
import { RpcError } from './errors.js';
import { checkOptions } from './option-check.js';
import { shownValue } from './shown-value.js';

/** What a command is given to read, and how it was started. */
type GivenInput = readonly [data: unknown, plan: CommandPlan, settings: Pick<RunSettings, 'input' | 'stdin'>];

/** Calls that take an argument before their options, with its name. */
const FIRST_ARGUMENTS: Readonly<Record<string, string>> = { 'shell.run': 'line', waitFor: 'expectation' };

/** @throws {TypeError | RpcError} naming what is wrong with the arguments of a call, or with the options of its command */
export function checkCall(call: string, given: object): void {
  const first = FIRST_ARGUMENTS[call];
  if (call === 'kill') checkSignal((given as { readonly signal: unknown }).signal);
  else if (call === 'write' || call === 'end') checkInput(call, given as GivenInput);
  else if (first === undefined) checkOptions(call, given);
  else {
    const [value, options] = given as readonly [value: unknown, options: object];
    checkOptions(call, Object(options) === options ? { [first]: value, ...options } : options);
  }
}

/** @throws {TypeError} for what is no name of a signal. Which signals there are, the server says. */
export function checkSignal(signal: unknown): void {
  if (typeof signal === 'string' && signal.startsWith('SIG')) return;
  const isShort = typeof signal === 'string' && /^[a-z]+\d?$/i.test(signal);
  const hint = isShort ? `; did you mean 'SIG${signal.toUpperCase().replace(/^SIG/, '')}'?` : '';
  throw new TypeError(`kill: a signal is a name such as 'SIGTERM', not ${shownValue(signal)}${hint}`);
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
