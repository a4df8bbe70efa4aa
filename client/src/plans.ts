/** The plans of starts and attachments, made of the options of a caller. Knows no connection. */
import type { CommandPlan } from './command-plan.js';
import { detachableParams, windowBytes } from './defaults.js';
import type { AttachOptions, CommonOptions, DetachableOptions, Encoding } from './options.js';
import type { ExecParams, WireSize } from './wire.js';

/**
 * The plan of a start. The server's default bounds of time and output are switched off, because the client has its own.
 * @param detachable as the caller said; undefined for a command that outlives its connections if the server supports that
 */
export function startPlan(
  command: readonly string[],
  options: CommonOptions,
  more: Partial<ExecParams>,
  detachable: boolean | DetachableOptions | undefined,
): CommandPlan {
  if (!Array.isArray(command) || command.some((word) => typeof word !== 'string')) {
    throw new TypeError("A command is an array of strings; for shell syntax use ['sh', '-c', '…']");
  }
  const { cwd, env, timeout, sandboxPolicy } = options;
  const params: ExecParams = {
    command: [...command],
    disableOutputCap: true,
    disableTimeout: !timeout || undefined,
    timeoutMs: timeout || undefined,
    cwd,
    env,
    sandboxPolicy,
    ...more,
  };
  return {
    start: {
      params,
      detachable: detachableParams(detachable ?? true),
      isDetachableOptional: detachable === undefined,
    },
    size: more.size,
    windowBytes: windowBytes(options.window, detachable),
  };
}

/** The plan of an attachment. @param screen whether it begins with a picture of the screen @param size of a terminal */
export function attachPlan(
  key: string,
  { from, role, takeover = true, window }: AttachOptions<Encoding>,
  screen: boolean,
  size?: WireSize,
): CommandPlan {
  const writes = role === 'observer' ? {} : { takeover, size };
  return {
    attach: { key, from, role, screen: screen || undefined, ...writes },
    size,
    windowBytes: windowBytes(window),
  };
}
