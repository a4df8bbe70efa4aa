// Shows what `execwire doctor`, `schema`, `completion` and `help` print about the program and its host.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { clientCommands } from '../../src/cli/client-commands.js';
import { CLIENT_WORDS } from '../../src/cli/client-words.js';
import { SERVER, ServerProcess } from '../support/server-process.js';
import { CliProcess, cliSetup } from './cli-process.js';

const run = (...args: string[]) => new CliProcess(args).ended;
const setup = await cliSetup(t);
const ROOT = resolve(import.meta.dirname, '../..');
const ALL = [
  'serve',
  'exec-server',
  'exec',
  'shell',
  'attach',
  'ls',
  'logs',
  'kill',
  'cp',
  'top',
  'health',
  'doctor',
  'mcp',
  'install',
  'schema',
  'completion',
];

t.test('launcher knows the name of every command that talks to a server', (t) => {
  t.same([...CLIENT_WORDS].sort(), clientCommands.map(({ name }) => name).sort());
  t.end();
});

t.test('help lists every command, and each has a help with examples', async (t) => {
  const overview = await run('--help');
  t.equal(overview.code, 0);
  const listed = [...overview.stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name);
  t.same(listed, ALL);
  for (const name of ALL.slice(1)) {
    const { code, stdout } = await run(name, '-h');
    t.equal(code, 0, name);
    t.match(
      stdout,
      new RegExp(`^Usage: execwire ${name} .*^Flags:\n.*^Examples:\n +(\\S.*)?execwire ${name}`, 'ms'),
      name,
    );
    t.equal((await run('help', name)).stdout, stdout);
  }
});

t.test('schema prints OpenRPC or JSON Schema of every method', async (t) => {
  const openRpc = JSON.parse((await run('schema', '--openrpc')).stdout);
  const methods = openRpc.methods.map(({ name }: { name: string }) => name);
  t.ok(methods.includes('command/exec'));
  const jsonSchema = JSON.parse((await run('schema', '--json-schema')).stdout);
  t.same(
    Object.keys(jsonSchema.$defs).filter((name) => name.endsWith('.params')),
    methods.map((name: string) => `${name}.params`),
  );
  t.match(await run('schema'), { code: 125, stderr: /one of --openrpc and --json-schema/ });
});

t.test('completion script has no syntax error in its shell, and bash completes commands, flags and keys', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-completion-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await run('completion', shell);
    t.equal(code, 0, shell);
    for (const name of ALL) t.match(stdout, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
    const file = join(folder, shell);
    writeFileSync(file, stdout);
    const checked = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    if (checked.error === undefined) t.match(checked, { status: 0, stderr: '' }, shell);
    else t.comment(`${shell} is not installed, so the syntax of its script is not checked`);
  }
  const { stdout } = await setup.run(['exec', '-d', '--', 'sleep', '600']);
  const key = stdout.trim();
  const complete = (...words: string[]): string[] => {
    const script = `execwire() { ${SERVER} "$@"; }; source ${join(folder, 'bash')}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _execwire; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { PATH: process.env.PATH, EXECWIRE_URL: setup.url };
    return spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', env })
      .stdout.trim()
      .split('\n');
  };
  t.same(complete('execwire', 'e').sort(), ['exec', 'exec-server']);
  t.same(complete('execwire', 'exec', '--det').sort(), ['--detach', '--detach-keys']);
  t.same(complete('execwire', 'serve', '--drain-t'), ['--drain-timeout']);
  t.same(complete('execwire', 'shell', '--sandbox', 'read'), ['readOnly']);
  t.same(complete('execwire', 'serve', '--log-level', 'd'), ['debug']);
  t.same(complete('execwire', 'attach', ''), [key]);
  t.same(complete('execwire', 'exec', '--', 'ls', '-'), [''], 'flags of the program are not those of execwire');
  t.same(complete('execwire', 'exec', 'ls', '-'), ['']);
  t.same(complete('execwire', 'exec', '-w', '/', '--det').sort(), ['--detach', '--detach-keys']);
  t.same(complete('execwire', 'exec', '-w', '/', 'ls', '/etc/passw').sort(), ['/etc/passwd', '/etc/passwd-']);
  t.same(complete('execwire', 'exec', '-w', '/us'), ['/usr']);
  t.same(complete('execwire', 'kill', '-s', 'TE'), ['TERM']);
  t.same(complete('execwire', 'kill', '--signal', 'TE'), ['TERM']);
  t.same(complete('execwire', 'kill', '-s', 'TERM', ''), [key]);
  t.same(complete('execwire', '--drain-t'), ['--drain-timeout']);
  t.same(complete('execwire', '--vers'), ['--version']);
  t.same(complete('execwire', 'help', 'att'), ['attach']);
  const completeInFish = (line: string): string[] | undefined => {
    const script = `function execwire; ${SERVER} $argv; end; source ${join(folder, 'fish')}; complete -C ${JSON.stringify(line)}`;
    const env = { PATH: process.env.PATH, HOME: folder, EXECWIRE_URL: setup.url };
    const { error, stdout } = spawnSync('fish', ['--no-config', '-c', script], { encoding: 'utf8', env });
    const words = stdout?.split('\n').map((each) => each.split('\t')[0] ?? '');
    return error === undefined ? words.filter((word) => word !== '') : undefined;
  };
  if (completeInFish('execwire ') === undefined) t.comment('fish is not installed, so its completions are not tried');
  else {
    t.same(completeInFish('execwire exec-'), ['exec-server']);
    t.same(completeInFish('execwire exec --det')?.sort(), ['--detach', '--detach-keys']);
    t.same(completeInFish('execwire exec -w / --det')?.sort(), ['--detach', '--detach-keys']);
    t.same(completeInFish('execwire exec ls --det'), [], 'flags of the program are not those of execwire');
    t.same(completeInFish('execwire exec -w / -- --det'), []);
    t.same(completeInFish('execwire shell --sandbox read'), ['readOnly']);
    t.same(completeInFish('execwire kill -s TE'), ['TERM']);
    t.same(completeInFish('execwire kill -s TERM '), [key]);
    t.same(completeInFish('execwire attach '), [key]);
  }
  await setup.run(['kill', key]);
  t.match(await run('completion', 'tcsh'), { code: 125, stderr: /bash, zsh or fish/ });
});

t.test('doctor checks the host, or a server, and ends with 1 when a check fails', async (t) => {
  const host = await run('doctor', '--json');
  const findings: { name: string; isGood: boolean; found: string; advice?: string }[] = JSON.parse(host.stdout);
  t.same(
    findings.map(({ name }) => name),
    ['Node', 'native parts', 'terminals', 'descriptors', 'processes', 'sandbox', 'control group', 'groups of commands'],
  );
  t.equal(host.code, findings.every(({ isGood }) => isGood) ? 0 : 1);
  for (const { name, isGood, advice } of findings) t.equal(advice === undefined, isGood, name);
  const byNode = spawnSync(process.execPath, [SERVER, 'doctor'], { encoding: 'utf8', env: { PATH: process.env.PATH } });
  t.match(byNode, { status: 1, stdout: /LOOK {2}limit of commands: .*\n +start `execwire` itself/ });
  t.match(await setup.run(['doctor']), {
    stdout: new RegExp(`^ok {4}server: execwire .* at ${setup.url}\nok {4}commands: `),
  });
  const policy =
    /; a command without a policy of its own gets dangerFullAccess \(--sandbox-default\), minimum none \(--sandbox-minimum\)/;
  t.match((await setup.run(['doctor'])).stdout, policy);
  t.match(host.stdout, policy, 'of a server that is started here');
  const strict = await new CliProcess(['doctor', '--host'], { env: { EXECWIRE_SANDBOX_MINIMUM: 'readOnly' } }).ended;
  t.match(strict.stdout, /sandbox: .* minimum readOnly \(--sandbox-minimum\)/);
  const byHost = await setup.run(['doctor', '--host']);
  t.match(byHost.stdout, /^(ok|LOOK) +Node: /, '--host checks the host although a variable names a server');
  t.match(await setup.run(['doctor', '--host', '--url', setup.url]), { code: 125, stderr: /contradict/ });
  t.match(await run('doctor', '--url', 'ws://127.0.0.1:1'), { code: 1, stdout: /^LOOK {2}server: .*ECONNREFUSED/ });
});

t.test('doctor says how to give the credential when a server wants one', async (t) => {
  const token = join(t.testdir({ token: 'right' }), 'token');
  chmodSync(token, 0o600);
  const server = new ServerProcess({ flags: ['--ws-auth', 'capability-token', '--ws-token-file', token] });
  t.teardown(() => server.crash());
  await server.untilListening();
  const { code, stdout } = await run('doctor', '--url', server.url);
  t.equal(code, 1);
  t.match(
    stdout,
    /^LOOK {2}server: .*HTTP 401.*\n +give the credential of this server: --token-file FILE, or EXECWIRE_TOKEN\n$/,
  );
  t.match(await run('doctor', '--url', server.url, '--token-file', token), { stdout: /^ok {4}server/ });
});

t.test('npm start gives commands none of the variables that npm adds', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const script = scripts.start.replace('npm run --silent build', 'true').replace(':4500', ':0');
  t.not(script, scripts.start);
  t.match(script, /^echo 'execwire: building, [^']*' >&2 && true && /, 'nobody waits for a silent build');
  const argv = ['sh', '-c', script];
  const env = { npm_package_name: 'execwire', npm_config_x: 'two\nlines', KEPT: 'yes' };
  const server = new ServerProcess({ argv, env, cwd: ROOT });
  t.teardown(() => server.crash());
  await server.untilListening();
  const { stdout } = await run('exec', '--url', server.url, 'env');
  t.match(stdout, /^KEPT=yes$/m);
  t.notMatch(stdout, /^npm_/m);
});
