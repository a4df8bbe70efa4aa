/**
 * Whether commands get control groups of their own, and those groups. It finds out once, when it is first asked: not before the first command, and not at the
 * start of the server, which a look at the file system would delay.
 */
import { CommandCgroups } from './command-cgroups.js';
import type { Libc } from './libc.js';
import type { CgroupAbsence } from './own-cgroup.js';
import { openServerCgroup, type ServerCgroup } from './server-cgroup.js';
import type { TreeCgroups } from './tree-scan.js';

/** What is there. */
export type CgroupFacts =
  /** `start`: a command is born in its group. `soon`: it is moved there if it does not end within a moment. */
  { readonly commands: 'start' | 'soon' } | { readonly commands: 'none'; readonly reason: CgroupAbsence };

export interface CgroupsOptions {
  /** The common beginning of all marks of this server: its random id and the dot. */
  readonly serverMark: string;
  readonly libc: () => Promise<Libc>;
  /** Called once when the kernel refuses groups that it seemed to allow. Commands go on without. */
  readonly onRefused: (errno: string) => void;
}

export class Cgroups implements TreeCgroups {
  readonly #options: CgroupsOptions;
  #finding: Promise<CommandCgroups | undefined> | undefined;
  #server: ServerCgroup | undefined;
  #commands: CommandCgroups | undefined;
  #absence: CgroupAbsence = 'notMounted';

  constructor(options: CgroupsOptions) {
    this.#options = options;
  }

  /** The groups of commands; undefined where there can be none. */
  find(): Promise<CommandCgroups | undefined> {
    this.#finding ??= this.#find();
    return this.#finding;
  }

  async facts(): Promise<CgroupFacts> {
    const commands = await this.find();
    if (commands === undefined || commands.isRefused) return { commands: 'none', reason: this.#absence };
    return { commands: commands.entersAtStart ? 'start' : 'soon' };
  }

  /** The folder that holds the groups of all commands; undefined while there is none. */
  get folder(): string | undefined {
    return this.#server?.folder;
  }

  kill(mark: string): void {
    this.#commands?.kill(mark);
  }

  members(...args: Parameters<TreeCgroups['members']>): ReturnType<TreeCgroups['members']> {
    return this.#commands?.members(...args) ?? [];
  }

  /** Removes all groups, with what is left in them. */
  async close(): Promise<void> {
    await this.#finding;
    this.#commands?.close();
    await this.#server?.close();
  }

  async #find(): Promise<CommandCgroups | undefined> {
    const { serverMark, libc, onRefused } = this.#options;
    const loaded = await libc();
    const opened = await openServerCgroup(serverMark.slice(0, -1), loaded);
    if ('absence' in opened) {
      this.#absence = opened.absence;
      return undefined;
    }
    this.#server = opened;
    this.#commands = new CommandCgroups({
      folder: opened.folder,
      serverMark,
      entersAtStart: loaded.entersCgroup === true,
      onRefused: (errno) => {
        this.#absence = 'refused';
        onRefused(errno);
      },
    });
    return this.#commands;
  }
}
