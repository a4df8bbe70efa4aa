/**
 * `npm run test:agents:mcp`: a client that nobody here wrote, the command line of the MCP inspector, uses `execwire mcp` as its configuration file in
 * docs/guide/agents.md says. It is installed outside of the repository with the Node that it needs; without a registry the script says that it skips.
 * The last line is the total.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { blocksOf } from '../support/page-examples.js';
import { SERVER } from '../support/server-process.js';

const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0';
/** The inspector needs Node 22.19. */
const NODE_PACKAGE = `node-linux-${process.arch}`;
/** Milliseconds for npm. */
const INSTALL_MS = 600_000;
/** Milliseconds for one call, on a busy machine. */
const CALL_MS = 120_000;
/** What the inspector ends with when a tool says that it failed. */
const EXIT_TOOL_ERROR = 5;
const PAGE = readFileSync(new URL('../../docs/guide/agents.md', import.meta.url), 'utf8');

let passed = 0;
let failed = 0;

function tell(title: string, problem: string | undefined): void {
  if (problem === undefined) passed += 1;
  else failed += 1;
  console.log(
    `${problem === undefined ? 'ok  ' : 'FAIL'}  ${title}${problem === undefined ? '' : `\n      ${problem}`}`,
  );
}

/** What one run of the inspector gave. */
interface Inspected {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Inspect = (...args: string[]) => Inspected;

/** Installs the inspector. @returns undefined where there is no registry */
function installed(folder: string): Inspect | undefined {
  const args = [
    'install',
    '--prefix',
    folder,
    INSPECTOR,
    `${NODE_PACKAGE}@24`,
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
  ];
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8', timeout: INSTALL_MS, cwd: folder });
  const modules = join(folder, 'node_modules');
  const [node, script] = [join(modules, NODE_PACKAGE, 'bin/node'), join(modules, '.bin/mcp-inspector')];
  if (status !== 0 || !existsSync(node)) {
    console.log(`SKIPPED: npm cannot install ${INSPECTOR}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
    return undefined;
  }
  const home = join(folder, 'home');
  const programs = join(folder, 'programs');
  for (const made of [home, programs]) mkdirSync(made);
  symlinkSync(SERVER, join(programs, 'execwire'));
  const config = join(folder, 'mcp.json');
  writeFileSync(config, blocksOf(PAGE, 'json').find((text) => text.includes('"args": ["mcp"]')) ?? '');
  const env = {
    HOME: home,
    PATH: [programs, process.env.PATH].join(delimiter),
    MCP_INSPECTOR_SECRET_STORE: 'memory',
  };
  return (...more) => {
    const line = [script, '--cli', '--config', config, '--server', 'execwire', ...more];
    const { status: code, ...said } = spawnSync(node, line, { encoding: 'utf8', timeout: CALL_MS, cwd: folder, env });
    return { code, stdout: said.stdout, stderr: said.stderr };
  };
}

function expect(title: string, { code, stdout, stderr }: Inspected, holds: { code?: number; pattern: RegExp }): void {
  const isGood = code === (holds.code ?? 0) && holds.pattern.test(stdout);
  tell(title, isGood ? undefined : `exit code ${code}, ${stdout.slice(0, 400)} ${stderr.slice(-400)}`);
}

function check(inspect: Inspect): void {
  const call = (tool: string, ...args: string[]): Inspected =>
    inspect('--method', 'tools/call', '--tool-name', tool, ...args.flatMap((arg) => ['--tool-arg', arg]));
  const tools = inspect('--method', 'tools/list', '--strict');
  expect('tools are listed, in schemas that every client can read', tools, { pattern: /"name": "list_directory"/ });
  expect('exec gives output and exit code', call('exec', 'command=echo hi; exit 3'), {
    pattern: /exit code 3 after [\s\S]*"text": "hi\\n"/,
  });
  expect('exec takes a program with arguments', call('exec', 'command=["printf","%s|","a b"]', 'timeout_seconds=60'), {
    pattern: /"text": "a b\|"/,
  });
  expect('a tool that fails says what to do', call('read_output', 'id=c9'), {
    code: EXIT_TOOL_ERROR,
    pattern: /list shows all commands/,
  });
  expect('start gives an id', call('start', 'command=sleep 600', 'tty=true'), { pattern: /Command c1: running for/ });
  expect('resources can be listed', inspect('--method', 'resources/list'), { pattern: /"resources": \[\]/ });
  expect('templates of resources can be listed', inspect('--method', 'resources/templates/list'), {
    pattern: /execwire:\/\/commands\/\{id\}/,
  });
  const file = join(tmpdir(), `execwire-inspected-${process.pid}/made/file.txt`);
  expect('files are written, with the directories above them', call('write_file', `path=${file}`, 'content=a line'), {
    pattern: /Wrote 6 bytes/,
  });
  expect('files are read', call('read_file', `path=${file}`), { pattern: /6 bytes[\s\S]*"text": "a line"/ });
  expect('directories are listed', call('list_directory', `path=${join(file, '..')}`), {
    pattern: /"text": "file\.txt"/,
  });
  rmSync(join(file, '../..'), { recursive: true, force: true });
}

const folder = mkdtempSync(join(tmpdir(), 'execwire-inspector-'));
try {
  const inspect = installed(folder);
  if (inspect !== undefined) check(inspect);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
