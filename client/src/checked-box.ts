/** A box that refuses wrong arguments before anything is sent. Not in the package for browsers, where the table of options would take too much room. */
import { Box } from './box.js';
import { checkSignal } from './call-check.js';
import { checkOptions } from './option-check.js';
import type {
  AttachOptions,
  AttachTerminalOptions,
  Encoding,
  ExecOptions,
  ShellOptions,
  TerminalOptions,
} from './options.js';
import { shownValue } from './shown-value.js';
import { allowManyListeners } from './signal-listeners.js';

/** Each method is that of {@link Box}. @throws {TypeError} when an argument or an option is none, or makes no sense */
export class CheckedBox extends Box {
  override exec<E extends Encoding = 'utf8'>(command: readonly string[], options: ExecOptions<E> = {}) {
    checkCommand('exec', command, options);
    return super.exec(command, options);
  }

  override terminal(command: readonly string[], options: TerminalOptions = {}) {
    checkCommand('terminal', command, options);
    return super.terminal(command, options);
  }

  override attach<E extends Encoding = 'utf8'>(key: string, options: AttachOptions<E> = {}) {
    checkKey('attach', key);
    checkHandling('attach', options);
    return super.attach(key, options);
  }

  override attachTerminal(key: string, options: AttachTerminalOptions = {}) {
    checkKey('attachTerminal', key);
    checkHandling('attachTerminal', options);
    return super.attachTerminal(key, options);
  }

  override shell(options: ShellOptions = {}) {
    checkOptions('shell', options);
    return super.shell(options);
  }

  override async kill(key: string, signal?: string) {
    checkKey('kill', key);
    if (signal !== undefined) checkSignal(signal);
    return super.kill(key, signal);
  }

  override async forget(key: string) {
    checkKey('forget', key);
    return super.forget(key);
  }
}

function checkCommand(call: string, command: unknown, options: object): void {
  const wrong = Array.isArray(command) ? command.findIndex((word) => typeof word !== 'string') : -1;
  if (Array.isArray(command) && wrong >= 0) {
    throw new TypeError(`${call}: word ${wrong} of the command has to be a text, not ${shownValue(command[wrong])}`);
  }
  if (typeof command === 'string') {
    // As `child_process` and execa have it; or a line of a shell.
    const meant = Array.isArray(options) ? [command, ...options] : ['sh', '-c', command];
    throw new TypeError(
      `${call} takes program and arguments as one array; did you mean ${call}(${JSON.stringify(meant)})?`,
    );
  }
  checkHandling(call, options);
}

/** @param options of a call that may take an `AbortSignal` */
function checkHandling(call: string, options: object): void {
  checkOptions(call, options);
  allowManyListeners((options as { readonly signal?: unknown }).signal);
}

function checkKey(call: string, key: unknown): void {
  if (typeof key === 'string' && key !== '') return;
  throw new TypeError(`${call} needs the key of a command, such as \`run.key\`, not ${shownValue(key)}`);
}
