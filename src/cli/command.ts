/** What one command of the program is. Knows none of them. */

/** A command: `execwire NAME …`. */
export interface CliCommand {
  readonly name: string;
  /** One line of `execwire help`. */
  readonly summary: string;
  /** The text of `execwire NAME --help`. */
  readonly help: () => string;
  /** Runs it. @param argv what stands behind its name @returns the exit code */
  readonly run: (argv: readonly string[]) => Promise<number>;
}
