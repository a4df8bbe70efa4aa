/**
 * Knows whether the server may enter the directory of commands that name none. If it may not, each of these commands is refused, and the server is not
 * ready. A user of `--run-as` may meet further limits; only the starts of commands tell these.
 */
import type { Log } from '../log.js';
import { type FileProbe, serverFiles } from '../process/file-probe.js';
import { SpawnError } from '../process/os-process.js';
import { checkDirectory } from '../process/program-path.js';

export interface StartFolderOptions {
  /** Absolute, or relative to the server's own directory. Without one, commands inherit that directory, which needs no right to enter it. */
  readonly path: string | undefined;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Default: looks with the rights of the server. */
  readonly files?: FileProbe;
}

/** The directory in which commands start unless they name another. */
export class StartFolder {
  readonly #options: StartFolderOptions;
  #look: Promise<boolean> | undefined;
  #wasOpen = true;

  constructor(options: StartFolderOptions) {
    this.#options = options;
  }

  /** Looks anew, because a volume may come and go. Calls share one look, so that a file system that does not answer holds one thread of the pool. */
  isOpen(): Promise<boolean> {
    this.#look ??= this.#lookNow().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  async #lookNow(): Promise<boolean> {
    const problem = await this.#problem();
    const isOpen = problem === undefined;
    if (isOpen !== this.#wasOpen) this.#tell(problem);
    this.#wasOpen = isOpen;
    return isOpen;
  }

  /** The log has a line for each change, not for each probe. */
  #tell(problem: string | undefined): void {
    const { log } = this.#options;
    if (problem === undefined) {
      log.info({}, 'ready again: commands can enter their directory');
      return;
    }
    const advice = 'open it to this user, or name another with --default-cwd';
    log.warn({ problem, uid: process.geteuid?.() }, `not ready: commands cannot enter their directory: ${advice}`);
  }

  async #problem(): Promise<string | undefined> {
    const { path, files = serverFiles } = this.#options;
    if (path === undefined) return undefined;
    try {
      await checkDirectory({ cwd: path }, files);
      return undefined;
    } catch (error) {
      if (error instanceof SpawnError) return error.message;
      throw error;
    }
  }
}
