/** What one command of the program is: its name, its flags, its help and how it runs. Knows none of them. */

/** One flag of a command. */
export interface Flag {
  /** Without the dashes, such as `env-file`. */
  readonly name: string;
  /** One letter. Absent for flags that have none. */
  readonly short?: string;
  /** What stands behind it in the help; absent for a switch. */
  readonly placeholder?: string;
  readonly description: string;
}

/** A command: `execwire NAME …`. */
export interface CliCommand {
  readonly name: string;
  /** One line of `execwire help`. */
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** The text of `execwire NAME --help`. */
  readonly help: () => string;
  /** Runs it. @param argv what stands behind its name @returns the exit code */
  readonly run: (argv: readonly string[]) => Promise<number>;
}
