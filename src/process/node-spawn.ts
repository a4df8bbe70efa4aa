/**
 * Starts a child by Node's own `spawn`, for hosts without the C library's. It knows neither readers nor writers. The child leads a session and a
 * group of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { type Environment, type ExitStatus, type ProcessSpec, SpawnError } from './os-process.js';
import { addChildReapedElsewhere } from './own-children.js';
import { errnoOf, spawnError } from './program-path.js';

/**
 * `onExit` is called once, from the event loop.
 * @param stdio the child's descriptors 0, 1 and 2. A number is passed to the child and stays the caller's.
 * @throws {SpawnError} when the operating system refuses
 */
export async function spawnByNode(
  spec: ProcessSpec,
  stdio: ('pipe' | 'ignore' | number)[],
  onExit: (status: ExitStatus) => void,
): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const [program, ...args] = spec.argv;
  const subject = `program ${JSON.stringify(program)}`;
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      env: textOf(spec.env),
      stdio,
      detached: true,
    });
  } catch (error) {
    throw spawnError(subject, errnoOf(error) ?? 'EINVAL');
  }
  const { pid } = child;
  if (pid === undefined) {
    // Node reports the reason of some failed starts only in the next tick.
    const error = await new Promise<unknown>((resolve) => child.once('error', resolve));
    throw spawnError(subject, errnoOf(error) ?? 'EAGAIN');
  }
  const reaped = addChildReapedElsewhere(pid);
  child.on('exit', (exitCode, signal) => {
    reaped();
    onExit(signal === null ? { exitCode: exitCode ?? 0, signal: null } : { exitCode: null, signal });
  });
  // A late error of a child that did start has no meaning, but without a listener it would end the server.
  child.on('error', () => {});
  return { child, pid };
}

/** Node takes no bytes, so bytes that are not UTF-8 become U+FFFD. */
export function textOf(env: Environment): Record<string, string> {
  const texts: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(env)) {
    texts[name] =
      typeof value === 'string'
        ? value
        : Buffer.from(value)
            .toString()
            .slice(name.length + 1);
  }
  return texts;
}

/** One of the streams that Node opened for a child. */
export function socketOf(stream: unknown): Socket {
  if (stream instanceof Socket) return stream;
  throw new SpawnError('the child has no such stream', 'EBADF');
}
