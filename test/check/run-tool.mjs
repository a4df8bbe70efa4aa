// Runs a tool of the check with this Node, without a terminal and without input, and collects its output. Knows no tool.
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';

/** Milliseconds to wait for the end of output once the tool itself has ended. */
const HELD_OUTPUT_MS = 5000;

/** Environment of every tool: no colours, and nothing that would make a server under test behave unlike its defaults. */
export function toolEnvironment() {
  return Object.fromEntries(
    Object.entries({ ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, CI: 'true' }).filter(
      ([name, value]) => value !== undefined && !name.startsWith('EXECWIRE_') && !name.startsWith('TAP_'),
    ),
  );
}

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {(line: string) => void} [onLine] called for every line of standard output as it comes
 * @returns {Promise<{code: number | null, stdout: string, stderr: string}>} `code` is null when a signal ended it or it did not start
 */
export function runTool(program, args, onLine) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment() });
    let stdout = '';
    let stderr = '';
    let unfinishedLine = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      if (onLine === undefined) return;
      const lines = (unfinishedLine + text).split('\n');
      unfinishedLine = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', (error) => resolve({ code: null, stdout, stderr: `${stderr}${error.message}\n` }));
    const finish = (code) => {
      if (unfinishedLine !== '') onLine?.(unfinishedLine);
      unfinishedLine = '';
      resolve({ code, stdout, stderr });
    };
    child.on('close', finish);
    // A process that a test left behind may hold the output open, so the output up to now counts.
    child.on('exit', (code) => setTimeout(finish, HELD_OUTPUT_MS, code).unref());
  });
}

/** Runs a JavaScript program with the Node that runs the check, so that one run uses one version. */
export function runNode(script, args, onLine) {
  return runTool(process.execPath, [script, ...args], onLine);
}

/** Runs a program of `node_modules/.bin`. */
export function runBin(name, args, onLine) {
  return runNode(realpathSync(`node_modules/.bin/${name}`), args, onLine);
}

/** Runs npm: the one that started the check, or the one in PATH. */
export function runNpm(args) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith('.js') ? runNode(npm, args) : runTool('npm', args);
}
