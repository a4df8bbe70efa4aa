/**
 * Ends children that have not reached their program because a file system does not answer. Otherwise they would start it after the server has ended.
 * It knows no commands.
 */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Sends SIGKILL to every child that is still a copy of this process. To be called when nothing will be started any more. Until it has reached its
 * program, a child of `posix_spawn` carries the name of the thread that starts it.
 */
export function killUnfinishedStarts(): void {
  const own = new Set(threadsOfSelf().map((thread) => nameOf(`self/task/${thread}`)));
  for (const pid of childrenOfSelf()) {
    const name = nameOf(pid);
    if (name !== undefined && own.has(name)) kill(Number(pid));
  }
}

function threadsOfSelf(): string[] {
  try {
    return readdirSync('/proc/self/task');
  } catch {
    return [];
  }
}

/** Each thread has a list of the children it has started. */
function childrenOfSelf(): string[] {
  return threadsOfSelf().flatMap((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, 'latin1').split(' ').filter(Boolean);
    } catch {
      // The kernel keeps no such lists, or the thread has just ended.
      return [];
    }
  });
}

function nameOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1');
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
