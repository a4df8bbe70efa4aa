/**
 * `npm run test:agents`: the real Codex agent does whole turns on this server, by a model that is a script; the same turn on its own server gives the
 * same files and the same answers (`-- --turns` for these alone). Then sequences of requests are answered as by the real servers, but where a row says why not (`-- --sequences`). The last line is the
 * total.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { blocksOf } from '../support/page-examples.js';
import { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { runTurn, type Turn } from './agent-run.js';
import { CODEX_VERSION, CodexHome, findCodex, RealServer } from './codex-binary.js';
import { compareWithReal } from './differential.js';
import type { ScriptStep } from './scripted-model.js';
import { turnSteps } from './turn.js';

const GUIDE = new URL('../../docs/guide/agents.md', import.meta.url);
const DIST = new URL('../../dist/execwire.cjs', import.meta.url).pathname;
/** Characters of a line that are shown. */
const SHOWN_CHARACTERS = 400;

let passed = 0;
let failed = 0;

function tell(title: string, problems: readonly string[]): void {
  if (problems.length === 0) passed += 1;
  else failed += 1;
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'}  ${title}`);
  for (const line of problems) console.log(`      ${line.slice(0, SHOWN_CHARACTERS)}`);
}

/** Runs one case; what it throws is a failure of it. */
async function test(title: string, body: () => Promise<readonly string[]>): Promise<void> {
  try {
    tell(title, await body());
  } catch (error) {
    tell(title, [error instanceof Error ? `${error.message} ${error.stack ?? ''}` : String(error)]);
  }
}

/** A server for one case, ended and checked at its end. */
async function withServer<T>(flags: readonly string[], body: (server: ServerProcess) => Promise<T>): Promise<T> {
  // The home of whoever runs the test may have a long profile, which each command would read.
  const server = await ServerProcess.start({ flags: [...flags], env: { HOME: folder } });
  try {
    return await body(server);
  } finally {
    if (server.exit === undefined) await server.stop();
  }
}

/** Why this host cannot hold commands as the agent asks under workspace-write; undefined if it can. */
async function cannotConfine(server: ServerProcess): Promise<string | undefined> {
  const client = await server.wire();
  const { limits } = await client.ask('initialize', { clientInfo: { name: 'test', version: '1' } });
  await client.close();
  const { landlockAbi, network, notEnforced } = limits.sandbox;
  const canHold = landlockAbi > 0 && network === 'seccomp' && !notEnforced.includes('protectedPaths');
  return canHold ? undefined : `this host cannot hold them: ${JSON.stringify(limits.sandbox)}`;
}

let word = 0;
/** Shell text that tells that it is reached, and goes on when that was seen. */
function marker(folder: string): { readonly shell: string; readonly reached: string; readonly seen: string } {
  word += 1;
  const reached = join(folder, `reached-${word}`);
  const seen = join(folder, `seen-${word}`);
  return { shell: `touch ${reached}; while [ ! -e ${seen} ]; do sleep 0.05; done;`, reached, seen };
}

function nextWord(): string {
  word += 1;
  return `execwire-agents-${process.pid}-${word}`;
}

/** Does something when the agent has looked at the last command once, so that its start was answered. */
function beforeSecondLook(steps: readonly ScriptStep[], act: () => void | Promise<void>): ScriptStep[] {
  const last = steps.length - 2;
  return steps.map((step, index) => async (context) => {
    if (index === last && context.round === 1) await act();
    return step(context);
  });
}

/** The file that the guide shows, with other lines for its machine. The agent waits longer than its 10 s, because a busy machine starts programs slowly. */
function environmentsToml(how: string): string {
  const [shown = ''] = blocksOf(readFileSync(GUIDE, 'utf8'), 'toml');
  const machine = /^url = .*\nauth_bearer_token = .*\n/m;
  if (!machine.test(shown))
    throw new Error('docs/guide/agents.md shows no environments.toml with an address and a token');
  return shown.replace(machine, `${how}initialize_timeout_sec = 60\n`);
}

function differences(ours: Turn, theirs: Turn): string[] {
  const ids = new Set([...Object.keys(ours.answers), ...Object.keys(theirs.answers)]);
  const answers = [...ids].flatMap((id) => {
    const [one, other] = [ours.answers[id], theirs.answers[id]];
    return one === other ? [] : [`${id}: ${JSON.stringify(one)} here, ${JSON.stringify(other)} there`];
  });
  const same = JSON.stringify(ours.files) === JSON.stringify(theirs.files);
  return same ? answers : [...answers, 'the files differ'];
}

async function turns(bin: string, folder: string): Promise<void> {
  let plain: Turn | undefined;
  await test('agent does a whole turn when a variable names the server', async () => {
    plain = await withServer([], ({ url }) => runTurn(bin, { url }, () => turnSteps(nextWord())));
    return plain.problems;
  });
  await test("turn gives the same files and answers as on the agent's own server", async () => {
    const home = new CodexHome({ baseUrl: 'http://127.0.0.1:9', model: 'none' });
    const real = await RealServer.start(bin, ['exec-server'], {
      env: home.environment('http://127.0.0.1:9'),
      cwd: folder,
    });
    try {
      const theirs = await runTurn(bin, { url: real.url }, () => turnSteps(nextWord()));
      if (plain === undefined) return ['there is no turn to compare with'];
      return [...theirs.problems, ...differences(plain, theirs)];
    } finally {
      await real.stop();
      home.remove();
    }
  });
  await test('agent does a whole turn when environments.toml has the address and a token', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'a-token-of-the-agents-test', { mode: 0o600 });
    const flags = ['--ws-auth', 'capability-token', '--ws-token-file', tokenFile];
    const turn = await withServer(flags, ({ url }) => {
      const how = `url = "${url}"\nauth_bearer_token = "a-token-of-the-agents-test"\nconnect_timeout_sec = 60\n`;
      return runTurn(bin, { environments: environmentsToml(how) }, () => turnSteps(nextWord()));
    });
    return turn.problems;
  });
  await test('agent does a whole turn when environments.toml has the program, on standard input and output', async () => {
    const how = `program = "${process.execPath}"\nargs = ["${DIST}", "exec-server"]\n`;
    return (await runTurn(bin, { environments: environmentsToml(how) }, () => turnSteps(nextWord()))).problems;
  });
  await withServer([], async (server) => {
    const cannot = await cannotConfine(server);
    if (cannot !== undefined) {
      console.log(`not run: a turn under workspace-write, because ${cannot}`);
      return;
    }
    await test('agent does a whole turn under workspace-write, and its commands write nothing elsewhere', async () => {
      // Not in /tmp, which this mode lets commands write.
      const outside = mkdtempSync('/var/tmp/execwire-agents-');
      const escaped = join(outside, 'escaped');
      try {
        const first = `(echo no > ${escaped}) 2>/dev/null && echo escaped;`;
        const machine = { url: server.url, sandboxMode: 'workspace-write' } as const;
        const turn = await runTurn(bin, machine, () => turnSteps(nextWord(), { first }));
        return [...turn.problems, ...(existsSync(escaped) ? ['a command wrote outside of its project'] : [])];
      } finally {
        rmSync(outside, { recursive: true, force: true });
      }
    });
  });
  await test('agent does a whole turn when the connection is cut in the middle of a command', () =>
    withServer([], async (server) => {
      const proxy = await CuttingProxy.start(server.port);
      const { shell, seen } = marker(folder);
      const turn = await runTurn(bin, { url: proxy.url }, () =>
        beforeSecondLook(turnSteps(nextWord(), { middle: shell }), () => {
          proxy.cut();
          writeFileSync(seen, '');
        }),
      );
      await proxy.close();
      return [...turn.problems, ...(proxy.connections >= 2 ? [] : ['the agent did not come back'])];
    }));
  await test('agent does a whole turn when the connection is cut in the middle of a command and the server drains', () =>
    // Longer than a turn may take: a command that is ended by the deadline fails.
    withServer(['--drain-timeout', '20m'], async (server) => {
      const proxy = await CuttingProxy.start(server.port);
      const { shell, seen } = marker(folder);
      const turn = await runTurn(bin, { url: proxy.url }, () =>
        beforeSecondLook(turnSteps(nextWord(), { middle: shell }), async () => {
          server.signal('SIGTERM');
          await server.logged('leaving');
          proxy.cut();
          writeFileSync(seen, '');
        }),
      );
      await proxy.close();
      return [...turn.problems, ...(proxy.connections >= 2 ? [] : ['the agent did not come back'])];
    }));
  await test('agent does a whole turn when the server drains and another one takes over', () =>
    // Longer than a turn may take: a drain that waits for its deadline fails.
    withServer(['--drain-timeout', '20m'], (first) =>
      withServer([], async (second) => {
        const proxy = await CuttingProxy.start(first.port);
        const { shell, reached, seen } = marker(folder);
        const draining = until('the command is in its middle', () => existsSync(reached)).then(async () => {
          first.signal('SIGTERM');
          proxy.targetPort = second.port;
          await until('it drains', () => first.lines.some((line) => line.includes('"leaving"')));
          writeFileSync(seen, '');
        });
        const turn = await runTurn(bin, { url: proxy.url }, () =>
          turnSteps(nextWord(), { first: shell }).map((step, index) => async (context) => {
            // The first command has ended, and the drain closes the connection while the model thinks.
            if (index === 1 && context.round === 0) await first.exited;
            return step(context);
          }),
        );
        await draining;
        await proxy.close();
        return [...turn.problems, ...(proxy.connections >= 2 ? [] : ['the agent did not go to the other server'])];
      }),
    ));
}

async function sequences(bin: string, folder: string): Promise<void> {
  try {
    for await (const { title, problems } of compareWithReal(bin, folder)) tell(title, problems);
  } catch (error) {
    tell('sequences are compared', [String(error)]);
  }
}

const codex = findCodex();
if (codex.bin === undefined) {
  console.log(`SKIPPED: ${codex.reason}\n0 passed, 0 failed`);
  process.exit(0);
}
console.log(`codex ${CODEX_VERSION}`);
const folder = mkdtempSync(join(tmpdir(), 'execwire-agents-'));
try {
  if (!process.argv.includes('--sequences')) await turns(codex.bin, folder);
  if (!process.argv.includes('--turns')) await sequences(codex.bin, folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
  codex.remove();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
