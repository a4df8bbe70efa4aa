// Shows `execwire mcp` without a URL, driven by the client of the MCP SDK: every tool, resources, cancelled calls, and that no process is left.
// Long because every tool is used by one agent.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { isAlive, peakResidentBytesOf } from '../support/process-table.js';
import { SERVER } from '../support/server-process.js';
import { until } from '../support/until.js';
import { type Agent, startAgent } from './agent.js';

const TOOLS = [
  'exec',
  'start',
  'read_output',
  'send_input',
  'stop',
  'list',
  'read_file',
  'write_file',
  'list_directory',
];

/** The pid that a command prints. */
async function printedPid(agent: Agent, id: string): Promise<number> {
  const { status } = await agent.call('read_output', { id, match: 'pid=\\d+', from: 0 });
  return Number(/Matched "pid=(\d+)"/.exec(status)?.[1]);
}

t.test('agent on its own machine', async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'execwire-mcp-')));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const agent = await startAgent(t, { cwd: folder });

  await t.test('tool says in few words what it does and may destroy when tools are listed', async (t) => {
    const { tools } = await agent.client.listTools();
    t.same(
      tools.map(({ name }) => name),
      TOOLS,
    );
    const readers = tools.filter(({ annotations }) => annotations?.readOnlyHint === true).map(({ name }) => name);
    t.same(readers, ['read_output', 'list', 'read_file', 'list_directory']);
    for (const { name, description = '', inputSchema, annotations } of tools) {
      t.ok(
        description.length > 40 && description.length < 900,
        `${name} is described in ${description.length} characters`,
      );
      t.equal(annotations?.destructiveHint, readers.includes(name) ? undefined : true, name);
      t.equal(inputSchema.additionalProperties, false, `${name} refuses what it does not know`);
      for (const [field, schema] of Object.entries(inputSchema.properties ?? {})) {
        const { description: said = '', default: byDefault } = schema as { description?: string; default?: unknown };
        t.ok(said.length > 10, `${name}.${field} is described`);
        if (typeof byDefault === 'number') t.match(said, `Default ${byDefault}`, `${name}.${field} says its default`);
        if (field.endsWith('_seconds')) t.match(said, /seconds/, `${name}.${field} says its unit`);
      }
    }
    t.ok(agent.client.getInstructions()?.includes(` on the machine of this session, in ${folder}. `));
  });

  await t.test('exec says how the command ended, and gives its output, when it has ended', async (t) => {
    const failed = await agent.call('exec', { command: 'pwd; echo oops >&2; exit 3' });
    t.match(failed, { status: /^Command c\d+: exit code 3 after [\d.]+ s\. Output: \d+ bytes\.$/, isError: false });
    t.equal(failed.output, `${folder}\noops\n`);
    t.equal(
      (await agent.call('exec', { command: ['printf', '%s|', 'a b', '$HOME'] })).output,
      'a b|$HOME|',
      'no shell',
    );
    const fed = await agent.call('exec', { command: 'cat; echo $X', stdin: 'fed\n', env: { X: 'set' }, cwd: '/' });
    t.equal(fed.output, 'fed\nset\n');
    t.match(await agent.call('exec', { command: 'true' }), { status: /exit code 0 after .* No output\.$/, output: '' });
    t.match(await agent.call('exec', { command: 'sleep 600 >/dev/null & echo begun' }), {
      status: /exit code 0 after .* was ended with it; start keeps such programs running\./,
      output: 'begun\n',
    });
    t.match(await agent.call('exec', { command: 'kill -9 $$' }), { status: /killed by SIGKILL after/ });
    t.match(await agent.call('exec', { command: 'printf "\\377ok\\033[1m!"' }), {
      status: /1 place is no UTF-8 and shown as \ufffd; pipe through base64/,
      output: '\ufffdok!',
    });
  });

  await t.test('exec keeps the output so far, and kills what was started, when it times out', async (t) => {
    const command = 'sleep 600 & echo pid=$!; wait';
    let pid: string | undefined;
    // A very busy machine may need longer than the first timeouts to start the shell.
    for (let seconds = 2; pid === undefined && seconds < 200; seconds *= 4) {
      const said = await agent.call('exec', { command, timeout_seconds: seconds });
      t.match(
        said.status,
        /^Command c\d+: timed out: ended by SIGKILL after [\d.]+ s; the output until then is kept\. Give a larger timeout_seconds, or use start/,
      );
      [, pid] = /^pid=(\d+)\n$/.exec(said.output) ?? [];
    }
    t.ok(pid, 'the output until then is kept');
    await until('the child is gone', () => !isAlive(Number(pid)));
  });

  await t.test('exec shows both ends, and read_output the middle, when output is long', async (t) => {
    const said = await agent.call('exec', { command: 'seq 1 100000', max_bytes: 1_000 });
    t.match(said.output, /^1\n2\n[\s\S]*\[… \d+ bytes left out …\]\n[\s\S]*99999\n100000\n$/);
    const [, id = '', from] = /read_output \{"id": "(c\d+)", "from": (\d+)\} shows them\.$/.exec(said.status) ?? [];
    let text = said.output.slice(0, said.output.indexOf('[…'));
    for (let next = Number(from); !Number.isNaN(next); ) {
      const part = await agent.call('read_output', { id, from: next, max_bytes: 200_000 });
      text += part.output;
      next = Number(/go on with from (\d+)\./.exec(part.status)?.[1]);
    }
    t.equal(text, Array.from({ length: 100_000 }, (_, n) => `${n + 1}\n`).join(''));
  });

  await t.test('tool says what was wrong and what to do when it fails', async (t) => {
    for (const [tool, args, message] of [
      ['exec', { command: 'true', timeout: 5 }, /timeout: no such field; there are command, cwd, .*timeout_seconds/],
      ['exec', { command: '' }, /command: give a string of 1 to 131072 characters.*or an array of strings/],
      ['exec', { command: 5 }, /command: give a string .* line for a shell, or an array of strings/],
      ['exec', {}, /command: give a string .* line for a shell, or an array of strings/],
      ['exec', { command: 'true', env: { A: 1 } }, /env\.A: a variable is a string, or null to remove it/],
      ['exec', { command: 'true', timeout_seconds: 0 }, /timeout_seconds: .*>=0\.1/],
      ['stop', { id: 'c1', signal: 'TERM' }, /signal: .*"SIGTERM"/],
      ['exec', { command: ['/no/such/program'] }, /program "\/no\/such\/program".*ENOENT.*one string\.$/],
      ['exec', { command: 'true', cwd: '/no/such' }, /cwd "\/no\/such".*Give a cwd that exists there\.$/],
      ['read_output', { id: 'c999' }, /^There is no command "c999": ids are those .* list shows all commands\.$/],
      ['read_output', { id: 'c1', match: '(' }, /^match: .*Give a JavaScript regular expression/],
      ['read_output', { id: 'c1', view: 'screen' }, /^view: command c1 has no terminal.*Use text or raw\.$/],
      ['send_input', { id: 'c1', text: 'x' }, /^Command c1 takes no input any more: exit code 3/],
      ['read_output', { id: 'c1', wait_for: 'match' }, /^match: wait_for match needs it/],
      ['read_output', { id: 'c1', wait_for: 'exit', match: 'x' }, /^match: wait_for exit looks for no match/],
      ['list_directory', { path: folder, offset: 99 }, /^offset: .* has \d+ entries, so nothing begins at 99\.$/],
      [
        'write_file',
        { path: join(folder, 'big'), content: 'ä'.repeat(5_000_000) },
        /^content: 10000000 bytes are more/,
      ],
      ['read_file', { path: 'relative' }, /a path has to be absolute/],
    ] as const) {
      const said = await agent.call(tool, args);
      t.ok(said.isError, tool);
      t.match(said.status, message);
    }
  });

  await t.test('command is read, answered and stopped when start has begun it', async (t) => {
    const script = 'echo ready; while read line; do echo "got $line"; done; echo end of input; sleep 600';
    const id = await agent.start({ command: script });
    t.match(await agent.call('read_output', { id, match: '^ready$' }), {
      status: /Matched "ready"/,
      output: 'ready\n',
    });
    t.match(await agent.call('send_input', { id, text: 'one', keys: ['enter'] }), { status: /running for .* Sent\./ });
    t.match(await agent.call('read_output', { id, match: 'got one' }), { output: 'got one\n' }, 'only what is new');
    t.match(await agent.call('read_output', { id }), { status: /No further output yet\.$/, output: '' });
    t.match(await agent.call('read_output', { id, wait_for: 'match', match: 'never', timeout_seconds: 0.1 }), {
      status: /What was waited for did not come within 0\.10 s\./,
    });
    t.match(await agent.call('send_input', { id, keys: ['up'] }), { isError: true, status: /needs a terminal/ });
    await agent.call('send_input', { id, text: 'two\n', keys: ['ctrl-d'] });
    t.match(await agent.call('read_output', { id, match: 'end of input' }), { output: 'got two\nend of input\n' });
    t.match(await agent.call('send_input', { id, text: 'three' }), { isError: true, status: /input has ended/i });
    const { resources } = await agent.client.listResources();
    t.same(
      resources.map(({ uri }) => uri),
      [`execwire://commands/${id}`],
    );
    const { contents } = await agent.client.readResource({ uri: `execwire://commands/${id}` });
    t.match(
      (contents[0] as { text: string }).text,
      /^Command c\d+: running for [\s\S]*\n\$ echo ready;[\s\S]*\nready\ngot one\n/,
    );
    await t.rejects(agent.client.readResource({ uri: 'execwire://commands/c999' }), /not found/i);
    t.match(await agent.call('list', {}), {
      status: /^1 running, \d+ ended\.$/,
      output: new RegExp(`^${id}  running for .*  echo ready;`),
    });
    t.match(await agent.call('stop', { id }), {
      status: /ended by SIGTERM after [\d.]+ s, as asked\./,
      output: /end of input\n$/,
    });
    t.match(
      await agent.call('stop', { id }),
      { status: /ended by SIGTERM/, isError: false },
      'a second time does nothing',
    );
    t.same((await agent.client.listResources()).resources, []);
  });

  await t.test('command takes keys, and its screen is shown as text, when it has a terminal', async (t) => {
    const id = await agent.start({
      command: ['bash', '--norc', '-i'],
      tty: true,
      env: { PS1: '> ' },
      cols: 40,
      rows: 5,
    });
    await agent.call('read_output', { id, match: '> ' });
    await agent.call('send_input', {
      id,
      text: 'printf "\\033[2J\\033[3;5Hhere"; echo pid=$$; sleep 600',
      keys: ['enter'],
    });
    t.match((await agent.call('read_output', { id, match: 'herepid=\\d+' })).output, /herepid=\d+\n$/);
    const screen = await agent.call('read_output', { id, view: 'screen' });
    t.match(screen.status, /Screen of 40 by 5, cursor in row 4, column 1:$/);
    t.match(screen.output, /^\n\n {4}herepid=\d+$/);
    t.ok((await agent.call('read_output', { id, view: 'raw', from: 0 })).output.includes('\u001b[2J'));
    await agent.call('send_input', { id, keys: ['ctrl-c'] });
    await agent.call('read_output', { id, match: '\\^C\\n' });
    await agent.call('send_input', { id, text: 'exit 4', keys: ['enter'] });
    t.match(await agent.call('read_output', { id, wait_for: 'exit' }), { status: /exit code 4 after/ });
  });

  await t.test('tools write files, read them in pieces and list folders when paths are absolute', async (t) => {
    const path = join(folder, 'made/by/tool.txt');
    t.match(await agent.call('write_file', { path, content: 'one\ntwo ä\nthree\n' }), {
      status: `Wrote 17 bytes to ${path}. Created the directory ${join(folder, 'made/by')}.`,
    });
    t.same(await agent.call('read_file', { path }), {
      status: `${path}: 17 bytes; these are bytes 0 to 17.`,
      output: 'one\ntwo ä\nthree\n',
      isError: false,
    });
    t.match(
      await agent.call('read_file', { path, offset: 4, limit: 5 }),
      {
        status: /these are bytes 4 to 8\. Go on with offset 8\.$/,
        output: 'two ',
      },
      'no character is cut',
    );
    t.match(await agent.call('read_file', { path, offset: 18 }), { isError: true, status: /has 17 bytes/ });
    t.match(await agent.call('write_file', { path, content: '/w==', encoding: 'base64' }), {
      status: /^Wrote 1 bytes? /,
    });
    t.match(await agent.call('read_file', { path }), { status: /1 place is no UTF-8.*base64 gives the bytes\.$/ });
    t.match(await agent.call('read_file', { path, encoding: 'base64' }), { output: '/w==' });
    t.match(await agent.call('write_file', { path, content: '?', encoding: 'base64' }), {
      isError: true,
      status: /no base64/,
    });
    t.match(await agent.call('read_file', { path: join(folder, 'none') }), {
      isError: true,
      status: /No such file.*list_directory/,
    });
    t.match(await agent.call('read_file', { path: folder }), { isError: true, status: /is not a file\.$/ });
    await agent.call('exec', {
      command: 'mkdir made/dir; mkfifo made/pipe; truncate -s 5G made/huge; printf end >> made/huge',
    });
    t.match(await agent.call('list_directory', { path: join(folder, 'made') }), { output: 'by/\ndir/\nhuge\npipe?' });
    t.match(await agent.call('list_directory', { path: join(folder, 'made'), limit: 1, offset: 1 }), {
      status: /: 4 entries\. These are 1 to 2\. Go on with offset 2\.$/,
      output: 'dir/',
    });
    t.match(
      await agent.call('read_file', { path: join(folder, 'made/huge'), offset: 5 * 1024 ** 3 }),
      { status: /: 5368709123 bytes; /, output: 'end' },
      'a piece is read when the whole file is larger than any message',
    );
  });

  await t.test('command ends when no tool names it for its ttl', async (t) => {
    const { status } = await agent.call('start', { command: 'sleep 600', ttl_seconds: 1 });
    t.match(status, /^Command c\d+: running for /);
    const [id = ''] = /c\d+/.exec(status) ?? [];
    await until('it has ended', async () => /^0 running/.test((await agent.call('list', {})).status));
    t.match(await agent.call('read_output', { id }), { status: /because no tool had named it for its ttl_seconds\./ });
  });

  await t.test('command is killed when its exec is cancelled, and runs on when a read_output is', async (t) => {
    const cancel = new AbortController();
    const call = agent.call('exec', { command: 'echo pid=$$; sleep 600' }, { signal: cancel.signal });
    let id = '';
    await until('it runs', async () => {
      id = /^(c\d+) {2}running.* {2}echo pid=/m.exec((await agent.call('list', {})).output)?.[1] ?? '';
      return id !== '';
    });
    const pid = await printedPid(agent, id);
    cancel.abort();
    await t.rejects(call);
    await until('the process is gone', () => !isAlive(pid));
    t.match(await agent.call('read_output', { id, wait_for: 'exit' }), { status: /because its call was cancelled\./ });

    const other = await agent.start({ command: 'echo ready; sleep 600' });
    const leave = new AbortController();
    const wait = agent.call(
      'read_output',
      { id: other, wait_for: 'exit', timeout_seconds: 600 },
      { signal: leave.signal },
    );
    leave.abort();
    await t.rejects(wait);
    t.match(await agent.call('read_output', { id: other, match: 'ready' }), { status: /running for/ });
    await agent.call('stop', { id: other, signal: 'SIGKILL' });
  });

  await t.test('call reports its progress when the agent asks for that', async (t) => {
    const reports: { progress: number; total?: number | undefined; message?: string | undefined }[] = [];
    const cancel = new AbortController();
    const call = agent.call(
      'exec',
      { command: 'echo working; sleep 600', timeout_seconds: 600 },
      {
        signal: cancel.signal,
        onprogress: (report) => {
          reports.push(report);
          if (reports.length === 2) cancel.abort();
        },
      },
    );
    await t.rejects(call);
    t.match(reports[0], { total: 600, message: /^Command c\d+: running for .* bytes of output$/ });
    t.ok((reports[1]?.progress ?? 0) > (reports[0]?.progress ?? 0), 'it grows');
  });

  await t.test('calls run beside each other when many come at once', async (t) => {
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, n) =>
        agent.call('exec', { command: ['echo', `number ${n}`], timeout_seconds: 600 }),
      ),
    );
    t.same(
      all.map(({ output }) => output),
      all.map((_, n) => `number ${n}\n`),
    );
  });

  await t.test('commands run beside each other, and all end with the session, when there are hundreds', async (t) => {
    const count = 300;
    const ids = await Promise.all(Array.from({ length: count }, () => agent.start({ command: ['sleep', '600'] })));
    t.equal(new Set(ids).size, count);
    const { status, output } = await agent.call('list', { limit: 1_000 });
    t.match(status, new RegExp(`^${count} running, `));
    t.equal(output.match(/^c\d+ {2}running for /gm)?.length, count);
    t.equal((await agent.client.listResources()).resources.length, count);
    // They are left running: the end of this test looks for what is left behind.
  });

  await t.test('output is bounded in memory and in results when a command writes without end', async (t) => {
    const id = await agent.start({ command: 'yes "a line of output" | head -c 60000000; echo; echo done' });
    const said = await agent.call('read_output', { id, wait_for: 'exit', timeout_seconds: 600 });
    t.match(
      said.status,
      /exit code 0 .* are left out; read_output \{"id": "c\d+", "from": \d+\} shows those that are still kept\.$/,
    );
    t.ok(said.output.length < 21_000, `${said.output.length} characters`);
    t.match(said.output, /^a line of output\n[\s\S]*\ndone\n$/);
    t.match(await agent.call('read_output', { id, from: 30_000_000 }), {
      status: /Bytes 30000000 to \d+ are not kept any more\./,
    });
    const peak = peakResidentBytesOf(agent.pid);
    t.ok(peak < 400 * 1024 * 1024, `${peak} bytes at most`);
  });

  t.equal(agent.stderr, '', 'nothing to tell to people');
});

t.test('agent gets the same tools when it speaks the newest protocol', async (t) => {
  const agent = await startAgent(t, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  t.same(
    (await agent.client.listTools()).tools.map(({ name }) => name),
    TOOLS,
  );
  t.match(await agent.call('exec', { command: 'echo new' }), { status: /exit code 0/, output: 'new\n' });
});

t.test('server ends with 0 and leaves no command behind when its standard input ends or a signal comes', async (t) => {
  for (const [how, end] of [
    ['end of input', (child: ReturnType<typeof spawn>) => child.stdin?.end()],
    ['SIGTERM', (child: ReturnType<typeof spawn>) => child.kill('SIGTERM')],
  ] as const) {
    const child = spawn(SERVER, ['mcp'], { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env.PATH } });
    const exit = once(child, 'exit');
    const send = (message: object): boolean =>
      child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`) ?? false;
    const callTool = (id: number, name: string, args: object): boolean =>
      send({ id, method: 'tools/call', params: { name, arguments: args } });
    let said = '';
    let hasAsked = false;
    const pid = new Promise<number>((resolve) => {
      child.stdout?.on('data', (chunk) => {
        said += String(chunk);
        if (!hasAsked && said.includes('"id":2')) {
          hasAsked = true;
          callTool(3, 'read_output', { id: 'c1', match: 'pid=\\d+', timeout_seconds: 600 });
        }
        const [, printed] = /pid=(\d+)\\n/.exec(said) ?? [];
        if (printed !== undefined) resolve(Number(printed));
      });
    });
    const clientInfo = { name: 'by-hand', version: '1' };
    send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
    send({ method: 'notifications/initialized' });
    // It ignores SIGTERM, and so does its child.
    callTool(2, 'start', { command: 'trap "" TERM; sleep 600 & echo pid=$!; wait; sleep 600' });
    const started = await pid;
    end(child);
    t.same(await exit, [0, null], how);
    await until(`the command is gone after ${how}`, () => !isAlive(started));
  }
});

t.test('flags are refused before anything is served when they make no sense', async (t) => {
  for (const [args, message] of [
    [['--host', '--url', 'ws://127.0.0.1:1'], /--host and --url contradict each other/],
    [['--url', 'http://127.0.0.1:1'], /is none of a server.*did you mean ws:\/\/127\.0\.0\.1:1\?/],
    [['--url', 'ws://127.0.0.1:1', '--', '--max-processes', '3'], /flags of serve hold for a server in this process/],
    [['--url', 'ws://127.0.0.1:1', '--token-file', '/no/such'], /--token-file \/no\/such: .*ENOENT/],
    [['--', '--listen', 'ws://127.0.0.1:0'], /this server has no listener/],
    [['--', '--max-procesess', '3'], /cannot start: unknown flag `--max-procesess` of serve/],
  ] as const) {
    const child = spawn(SERVER, ['mcp', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    });
    let stderr = '';
    let stdout = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    t.same(await once(child, 'close'), [125, null], args.join(' '));
    t.match(stderr, message);
    t.equal(stdout, '');
  }
});
