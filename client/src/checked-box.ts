/** A box that refuses wrong options before anything is sent. Not in the package for browsers, where the table of options would take too much room. */
import { Box } from './box.js';
import { checkOptions } from './option-check.js';
import type {
  AttachOptions,
  AttachTerminalOptions,
  Encoding,
  ExecOptions,
  ShellOptions,
  TerminalOptions,
} from './options.js';

/** Each method is that of {@link Box}. @throws {TypeError} when an option does not exist, or is a number that makes no sense */
export class CheckedBox extends Box {
  override exec<E extends Encoding = 'utf8'>(command: readonly string[], options: ExecOptions<E> = {}) {
    checkOptions('exec', options);
    return super.exec(command, options);
  }

  override terminal(command: readonly string[], options: TerminalOptions = {}) {
    checkOptions('terminal', options);
    return super.terminal(command, options);
  }

  override attach<E extends Encoding = 'utf8'>(key: string, options: AttachOptions<E> = {}) {
    checkOptions('attach', options);
    return super.attach(key, options);
  }

  override attachTerminal(key: string, options: AttachTerminalOptions = {}) {
    checkOptions('attachTerminal', options);
    return super.attachTerminal(key, options);
  }

  override shell(options: ShellOptions = {}) {
    checkOptions('shell', options);
    return super.shell(options);
  }
}
