// Owns the command line that Docker and Podman share: run, inspect, stop. Knows nothing of what is in an image.
import { run } from './command.mjs';

/** Milliseconds; an engine waits for a container that drains. */
const LIMIT_MS = 180_000;

export class Engine {
  /** @param {string} name @param {readonly string[]} words before each command */
  constructor(name, words) {
    this.name = name;
    this.words = words;
  }

  /** @param {readonly string[]} argv @param {{ check?: boolean, env?: Record<string, string>, input?: string }} [options] see {@link run} */
  run(argv, options = {}) {
    return run([...this.words, ...argv], { timeoutMs: LIMIT_MS, ...options });
  }

  /** Starts a container in the background. @param {string} name @param {readonly string[]} argv options, image and arguments */
  start(name, argv) {
    return this.run(['run', '--detach', '--name', name, ...argv]);
  }

  /** @param {string} container @param {string} format a Go template @returns {Promise<string>} */
  async inspect(container, format) {
    return (await this.run(['inspect', '--format', format, container])).stdout.trim();
  }

  /** Stops a container as an operator does, and removes it. @returns {Promise<number>} its exit code */
  async stop(container, seconds) {
    await this.run(['stop', '--time', String(seconds), container]);
    const code = Number(await this.inspect(container, '{{.State.ExitCode}}'));
    await this.run(['rm', container]);
    return code;
  }

  /** Last lines of a container, for messages. */
  async logs(container) {
    const { stdout, stderr } = await this.run(['logs', container], { check: false });
    return `${stdout}${stderr}`.slice(-1500);
  }
}
