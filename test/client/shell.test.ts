// Shows the shell of the client against the built server: what it keeps from line to line, what ends it, and that output cannot forge the end of a line.
// Long because a line can end its shell, or fail to, in many ways.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { connect, type Shell, type ShellResult, UnknownOutcomeError } from '../../client/src/node.js';
import { type Cancel, hostClock } from '../../client/src/platform.js';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import { failureOf } from './fake-box.js';
import { mostWaitsOfOnePromise } from './kept-waits.js';
import { settled } from './manual-clock.js';

const server = await startServer(t);
const box = await connect(server.url, { name: 'test' });
/** Lines whose timeout is near their natural end. So many that some time out and some do not. */
const SWEEP_ROUNDS = 40;
const hasDash = spawnSync('dash', ['-c', 'true']).status === 0;
const kinds = hasDash ? (['bash', 'sh'] as const) : (['bash'] as const);

/** Milliseconds between two interrupts of a line. After the third interval the shell is killed. */
const INTERRUPT_EVERY_MS = 1_000;
/** Commands that the server runs until an interval is over. */
const COMMANDS_EACH_INTERVAL = 3;

// A busy machine may need longer than three seconds to end a line, and the client would kill the shell then. So an interval also lasts until the server
// has run some commands, which takes longer on the same machine.
const { after } = hostClock;
t.intercept(hostClock, 'after', {
  value: (delayMs: number, callback: () => void): Cancel => {
    if (delayMs !== INTERRUPT_EVERY_MS) return after(delayMs, callback);
    let isCancelled = false;
    const runCommands = async (): Promise<void> => {
      for (let count = 0; count < COMMANDS_EACH_INTERVAL && !isCancelled; count += 1) await box.exec(['true']);
      if (!isCancelled) callback();
    };
    const cancel = after(delayMs, () => void runCommands());
    return () => {
      isCancelled = true;
      cancel();
    };
  },
});

/**
 * Runs a line that prints and never ends, until its timeout. A busy machine may reach the first timeout before the line prints, so each further try
 * has four times as long.
 */
async function runUntilTimeout(shell: Shell, line: string): Promise<ShellResult> {
  for (let timeout = 200; ; timeout *= 4) {
    const result = await shell.run(line, { timeout });
    if (result.output !== '') return result;
  }
}

t.test('directory and variables persist, and each line gives its own output and exit code', async (t) => {
  await using shell = box.shell();
  t.match(await shell.run('cd / && export A=1 && f() { echo "f of $1"; }'), {
    exitCode: 0,
    output: '',
    restarted: false,
  });
  t.match(await shell.run('echo $PWD $A; f x; echo problem >&2; false'), {
    exitCode: 1,
    output: '/ 1\nf of x\nproblem',
  });
  t.match(await shell.run('echo \'single\' "double" $((1 + 1))\necho second line'), {
    output: 'single double 2\nsecond line',
  });
  t.match(await shell.run('printf "no newline"'), { output: 'no newline' });
  t.match(await shell.run(''), { exitCode: 0, output: '' });
  const all = await Promise.all(['echo 1', 'echo 2', 'echo 3'].map((line) => shell.run(line)));
  t.same(
    all.map(({ output }) => output),
    ['1', '2', '3'],
    'lines that are asked for together run in order',
  );
});

t.test(
  'shell lives on when a line reads input, has a wrong syntax, fails under set -e, or sets odd options',
  async (t) => {
    await using shell = box.shell();
    await shell.run('A=kept');
    const lines: [line: string, exitCode: number, output: RegExp][] = [
      ['cat; read x; echo "x=$x"', 0, /^x=$/],
      ['echo "unfinished', 2, /unexpected EOF/],
      ['if then', 2, /syntax error/],
      ['set -e; IFS=0123456789; echo before; false; echo never', 1, /^before$/],
      ['g() { echo inside; (exit 4); echo never; }; g; echo never', 4, /^inside$/],
      ['false || echo handled; if false; then :; fi; ! true; echo end', 0, /^handled\nend$/],
      ['set +e -u; echo $not_there', 1, /unbound variable/],
      ['set +u -x; echo traced', 0, /traced$/],
      ['set +x -v; echo verbose', 0, /verbose$/],
      ['set +v; exec 2>/dev/null; echo still here', 0, /still here$/],
      ['exec >/dev/null; echo unseen', 0, /^$/],
      ['no-such-program-here', 127, /not found/],
      ['(exit 9)', 9, /^$/],
      ['eval() { echo mine; }; printf() { echo mine; }; kill() { echo mine; }; true', 0, /^$/],
      ['PS1="prompt " PROMPT_COMMAND=; IFS=x; echo odd', 0, /^odd$/],
    ];
    for (const [line, exitCode, output] of lines) {
      const result = await shell.run(line);
      t.match(result, { exitCode, output, restarted: false, timedOut: false }, line);
    }
    t.equal((await shell.run('echo $A')).output, 'kept');
  },
);

t.test('output has nothing of the commands of the client when a line sets traps, traces or prompts', async (t) => {
  await using shell = box.shell();
  await shell.run(`trap 'echo "about to run: $BASH_COMMAND"' DEBUG`);
  t.equal((await shell.run('echo hello')).output, 'about to run: echo hello\nhello');
  await shell.run('trap - DEBUG; PROMPT_COMMAND="echo prompt" PS0="going " PS1="more "');
  t.equal((await shell.run('echo hello')).output, 'hello');
  await shell.run('BASH_XTRACEFD=1; set -x');
  t.match(await shell.run('echo on'), { exitCode: 0, output: /^\++ echo on\non$/ });
  // bash closes the descriptor in BASH_XTRACEFD when the variable is unset, and here that is the output.
  await shell.run('set +x; unset BASH_XTRACEFD');
  t.match(await shell.run('echo on'), { exitCode: 0, output: 'on' });
});

t.test(
  'bash neither loads, shows nor changes the history of the user when a line replaces or ends the shell',
  async (t) => {
    const home = t.testdir({ '.bash_history': 'private\n', own: 'private\n' });
    for (const file of ['.bash_history', 'own']) {
      const path = `${home}/${file}`;
      const shell = box.shell({ shell: 'bash', env: { HOME: home, HISTFILE: file === 'own' ? path : null } });
      for (const line of ['history', 'set -o history; history', 'echo x; exit', 'exec true', 'set -o history; exit']) {
        t.notMatch((await shell.run(line)).output, /private|execwire/, line);
        t.equal(readFileSync(path, 'utf8'), 'private\n', line);
      }
      await shell.close();
    }
  },
);

t.test(
  'result says that the line has ended its shell when bash exits under set -e, and the next line runs in a new one',
  async (t) => {
    await using shell = box.shell({ shell: 'bash' });
    const lines: [line: string, exitCode: number][] = [
      ['if then', 2],
      ['set -u; echo $nope', 1],
      [`echo \${x:?}`, 1],
      ['readonly r=1; r=2', 1],
      ["trap 'echo err' ERR; false", 1],
      ['exit 1', 1],
    ];
    for (const [line, exitCode] of lines) {
      t.match(await shell.run('set -e'), { exitCode: 0, ended: false }, line);
      t.match(await shell.run('false'), { exitCode: 1, ended: false, restarted: false }, line);
      t.match(await shell.run(line), { exitCode, ended: true, restarted: false }, line);
      t.match(await shell.run('true'), { exitCode: 0, ended: false, restarted: true }, line);
    }
  },
);

for (const kind of kinds) {
  t.test(
    `${kind} rejects a line, and the next one runs in a new shell, when it defines a command that runs nothing`,
    async (t) => {
      await using shell = box.shell({ shell: kind });
      t.match(await failureOf(shell.run('command() { echo mine; }; true')), {
        name: 'UnknownOutcomeError',
        message: /^The shell can run no more lines/,
      });
      t.match(await shell.run('echo on'), { output: 'on', restarted: true });
    },
  );
}

t.test('bash lives on when a line defines a command that runs what it is given', async (t) => {
  await using shell = box.shell({ shell: 'bash' });
  t.match(await shell.run('command() { builtin command "$@"; }; echo on'), { output: 'on', ended: false });
  t.match(await shell.run('declare -F command'), { output: 'command', restarted: false });
});

t.test('output cannot forge the end of its line', async (t) => {
  await using shell = box.shell();
  t.equal((await shell.run('declare -f __execwire_mark; set | grep -a execwire >/dev/null; echo end')).exitCode, 0);
  t.equal(
    (await shell.run('printf "\\036mark 0\\036"; printf "\\036mark 0\\036" >&2; echo after')).output.endsWith('after'),
    true,
  );
  const big = await shell.run('yes | head -c 3000000');
  t.equal(big.output.length, 2_999_999);
});

for (const kind of ['bash', 'sh'] as const) {
  const skip = kind === 'sh' && !hasDash && 'dash is not installed';
  t.test(
    `${kind} lives on with its variables when a line changes what the shell's own commands depend on`,
    { skip },
    async (t) => {
      await using shell = box.shell({ shell: kind });
      await shell.run('A=kept');
      const lines: [line: string, exitCode: number, output: RegExp][] = [
        ['return 3; echo never', 3, /^$/],
        ['IFS=0123456789 B=1; echo split', 0, /^split$/],
        ['readonly IFS PS1; echo still here', 0, /^still here$/],
        ['set -f; echo *', 0, /^\*$/],
        ['set -C -u; echo "A=$A"', 0, /^A=kept$/],
        ['printf() { :; }; echo() { :; }; echo x', 0, /^$/],
        ['unset -f echo; echo y', 0, /^y$/],
        ['alias command=false exec=false .=false printf=false eval=false set=false; echo x', 0, /^x$/],
        ['unalias -a', 0, /^$/],
        ['POSIXLY_CORRECT=1; echo posix', 0, /^posix$/],
        ['unset POSIXLY_CORRECT', 0, /^$/],
        ['echo a\\', 0, /^a/],
        ['echo b # comment', 0, /^b$/],
        ['echo c \\\n  d', 0, /^c d$/],
        ['cat <<X\nunfinished $A', 0, /unfinished kept$/],
        ['trap "echo trapped" INT; kill -INT "$$"; echo on', 0, /^trapped\non$/],
        ['trap - INT; exec 9>/dev/null', 0, /^$/],
        ['echo to nine >&9; echo to output', 0, /^to output$/],
        ['unset PATH; no-such-program', 127, /not found|No such file/],
        ['set -- one two', 0, /^$/],
        ['echo "$# $2"', 0, /^2 two$/],
      ];
      for (const [line, exitCode, output] of lines) {
        const result = await shell.run(line, { timeout: 60_000 });
        t.match(result, { exitCode, output, restarted: false, timedOut: false }, line);
      }
      t.equal((await shell.run('echo $A')).output, 'kept');
      t.match(await shell.run("trap 'exit 7' EXIT; exit 5"), { exitCode: 7, output: '' });
      t.match(await shell.run('echo again'), { output: 'again', restarted: true });
    },
  );
}

t.test('line is interrupted, and the shell lives on with its variables, when its timeout passes', async (t) => {
  await using shell = box.shell();
  await shell.run('A=kept');
  const result = await runUntilTimeout(shell, 'echo so far; sleep 600; echo never');
  t.match(result, { timedOut: true, recovered: true, output: 'so far', exitCode: 130 });
  t.match(await shell.run('echo $A'), { output: 'kept', restarted: false });
});

t.test('next line runs whole when a timeout comes near the natural end of a line', async (t) => {
  for (const kind of kinds) {
    await using shell = box.shell({ shell: kind });
    const { durationMs } = await shell.run('A=kept; sleep 0.05');
    let timeouts = 0;
    for (let round = 0; round < SWEEP_ROUNDS; round += 1) {
      // From well before the natural end to well after it.
      const timeout = Math.max(0, durationMs * (0.9 + (0.2 * (round % 20)) / 19));
      const line = await shell.run('sleep 0.05', { timeout });
      if (line.timedOut) timeouts += 1;
      const about = `${kind}, round ${round}, timeout ${timeout} ms: ${JSON.stringify(line)}`;
      t.ok([0, 130, undefined].includes(line.exitCode), about);
      t.equal(line.recovered, line.timedOut, about);
      t.match(await shell.run('echo "$A"; (exit 3)'), { exitCode: 3, output: 'kept', restarted: false }, about);
    }
    t.comment(`${kind}: ${timeouts} of ${SWEEP_ROUNDS} lines timed out`);
  }
});

t.test('bash stops a line at a failure under set -e, and lives on, when a line traps INT', async (t) => {
  await using shell = box.shell();
  await shell.run("trap 'echo mine' INT; A=kept");
  t.match(await shell.run('set -e; IFS=0123456789; echo before; false; echo never'), { exitCode: 1, output: 'before' });
  t.match(await shell.run('kill -INT "$$"; echo $A'), { exitCode: 0, output: 'mine\nkept', restarted: false });
});

t.test('no part of a long line runs when its timeout is 0', async (t) => {
  for (const kind of kinds) {
    await using shell = box.shell({ shell: kind });
    await shell.run('A=kept');
    const script = `if false; then\n${'A=changed\n'.repeat(20_000)}fi; sleep 600`;
    t.match(await shell.run(script, { timeout: 0 }), { timedOut: true, recovered: true, output: '' }, kind);
    t.match(await shell.run('echo $A'), { exitCode: 0, output: 'kept', restarted: false }, kind);
  }
});

t.test(
  'output of a background program is in one of two lines when the program prints while the first one is interrupted',
  async (t) => {
    const file = `${t.testdir()}/go`;
    for (const kind of kinds) {
      await using shell = box.shell({ shell: kind });
      await shell.run(`(trap '' INT; until [ -e ${file} ]; do sleep 0.05; done; echo from behind; rm ${file}) &`);
      // The trap makes the file, so the background program prints only after the interrupt that ends this line.
      const interrupted = await shell.run(`trap 'echo > ${file}' INT; sleep 600`, { timeout: 1_000 });
      t.match(interrupted, { timedOut: true, recovered: true });
      const { output } = await shell.run(`while [ -e ${file} ]; do sleep 0.05; done; trap - INT; echo on`);
      // On a slow machine it comes before the shell has said that the first line is over.
      t.match(`${interrupted.output}\n${output}`, /(^|\n)from behind\n(.*\n)?on$/s, kind);
    }
  },
);

t.test('output has nothing of the commands of the client when a line sets -v', async (t) => {
  for (const kind of kinds) {
    await using shell = box.shell({ shell: kind });
    t.match(await shell.run('set -v'), { exitCode: 0, output: '' }, kind);
    t.match(await shell.run('echo hi\nfalse'), { exitCode: 1, output: 'echo hi\nhi\nfalse' }, kind);
    t.match(await shell.run('set +v'), { exitCode: 0, output: 'set +v' }, kind);
    t.match(await shell.run('echo hi'), { exitCode: 0, output: 'hi' }, kind);
  }
});

t.test('shell goes on when a builtin that has a program of the same name is disabled', async (t) => {
  await using shell = box.shell({ shell: 'bash' });
  await shell.run('enable -n printf');
  t.match(await shell.run('echo on; (exit 3)'), { exitCode: 3, output: 'on', restarted: false });
});

t.test(
  'run rejects, and the next line starts another shell, when a line leaves its shell unable to run lines',
  async (t) => {
    const breaking: Record<string, readonly string[]> = {
      bash: ['enable -n printf; unset PATH', 'enable -n command', 'unset -f __execwire_mark'],
      sh: ['unset -f __execwire_mark'],
    };
    for (const kind of kinds) {
      for (const line of breaking[kind] ?? []) {
        await using shell = box.shell({ shell: kind });
        const error = await failureOf(shell.run(`echo before; ${line}`));
        t.ok(error instanceof UnknownOutcomeError, line);
        t.match(
          error,
          { message: /^The shell can run no more lines: .*(not found|No such file|Invalid).*before/s },
          line,
        );
        t.match(await shell.run('echo again'), { output: 'again', restarted: true }, line);
      }
    }
    await using shell = box.shell({ shell: 'bash' });
    await shell.run('enable -n .');
    t.match(await failureOf(shell.run('echo never')), { message: /can run no more lines: .*\.: command not found/s });
    if (hasDash) {
      await using sh = box.shell({ shell: 'sh' });
      await sh.run('ulimit -n 10');
      t.match(await failureOf(sh.run('echo never')), { message: /can run no more lines: .*Invalid argument/s });
      t.match(await sh.run('echo again'), { output: 'again', restarted: true });
    }
    // In bash this ends the shell.
    t.match(await shell.run('ulimit -n 10'), { exitCode: /^(1|2|127)$/, output: /Bad file descriptor/ });
    t.match(await shell.run('echo again'), { output: 'again', restarted: true });
  },
);

t.test(
  'line is not run, and the next one starts another shell, when the shell has ended between two lines',
  async (t) => {
    await using shell = box.shell();
    const { output: pid } = await shell.run('A=lost; echo $$');
    process.kill(Number(pid), 'SIGKILL');
    await until('the shell has ended', () => !isAlive(Number(pid)));
    await until('the server lists no running command', async () =>
      (await box.list()).every(({ state }) => state === 'ended'),
    );
    const error = await failureOf(shell.run('echo never'));
    t.ok(error instanceof UnknownOutcomeError);
    t.match(error, { wasSent: false, message: 'The line was not run: its shell has ended: SIGKILL' });
    t.match(await shell.run('echo "[$A]"'), { output: '[]', restarted: true });
  },
);

t.test('close ends a shell that is starting, and does not run lines that wait', async (t) => {
  for (const wait of [async () => {}, settled]) {
    const shell = box.shell();
    // A server that stands still cannot start the shell before it is closed.
    server.signal('SIGSTOP');
    const lines = ['echo 1', 'echo 2'].map((line) => failureOf(shell.run(line)));
    await wait();
    const closed = shell.close();
    server.signal('SIGCONT');
    await closed;
    for (const line of lines) t.match(await line, { message: 'The shell was closed' });
    await until('no command runs', async () => (await box.list()).every(({ state }) => state === 'ended'));
  }
  const shell = box.shell();
  const { output: pid } = await shell.run('echo $$');
  let began = (): void => {};
  const isRunning = new Promise<void>((resolve) => {
    began = resolve;
  });
  const running = shell.run('echo began; sleep 600', { onOutput: began });
  const waiting = failureOf(shell.run('echo 2'));
  await isRunning;
  await shell.close();
  t.match(await running, { exitCode: 137, output: 'began' });
  t.match(await waiting, { message: 'The shell was closed' });
  t.notOk(isAlive(Number(pid)));
  t.match(await shell.run('echo again'), { output: 'again', restarted: true });
  await shell.close();
});

t.test('close of the box ends its shells, also those that are starting, and leaves detachable commands', async (t) => {
  // A busy machine may need longer than by default to end the shells.
  const other = await connect(server.url, { name: 'test', closeTimeout: 60_000 });
  const job = other.exec(['sleep', '600'], { detachable: true });
  const { key = '' } = await job.started;
  job.catch(() => {});
  const shells = [other.shell(), other.shell({ shell: 'sh' }), other.shell({ detachable: { ttl: 600_000 } })];
  const pids = await Promise.all(shells.map(async (shell) => Number((await shell.run('echo $$')).output)));
  // A server that stands still cannot start the next shells before the box is closed.
  server.signal('SIGSTOP');
  const asked = failureOf(other.shell().run('echo never'));
  // By then the client has asked the server for the process of this shell.
  await settled();
  const starting = failureOf(other.shell().run('echo never'));
  const closed = other.close();
  server.signal('SIGCONT');
  await closed;
  t.match(await starting, { message: /The box was closed/ });
  t.match(await asked, { message: 'The shell was closed' });
  t.same(pids.filter(isAlive), []);
  const rows = await box.list();
  t.same(
    rows.filter(({ state }) => state !== 'ended').map((row) => row.key),
    [key],
  );
  for (const shell of shells) {
    const error = await failureOf(shell.run('echo never'));
    t.match(error, {
      name: 'UnknownOutcomeError',
      wasSent: false,
      message: /^The command was not started: The box was closed/,
    });
  }
  await box.kill(key, 'SIGKILL');
});

t.test(
  'shell is killed, and the next line starts another one, when a line ignores the interrupt of its timeout',
  async (t) => {
    await using shell = box.shell();
    await shell.run('A=gone');
    const result = await runUntilTimeout(shell, "echo stubborn; (trap '' INT; while :; do sleep 0.1; done)");
    t.match(result, { timedOut: true, recovered: false, exitCode: undefined, output: 'stubborn' });
    t.match(await shell.run('echo "[$A]"'), { output: '[]', restarted: true });
    t.match(await shell.run('true'), { restarted: false });
  },
);

t.test('nothing waits for the end of the shell for each line', async (t) => {
  await using shell = box.shell();
  await shell.run('n=0');
  const most = await mostWaitsOfOnePromise(t, async () => {
    for (let count = 0; count < 30; count += 1) await shell.run('n=$((n + 1))');
  });
  t.ok(most < 10, `${most} waits for one promise`);
  t.match(await shell.run('echo $n'), { output: '30', restarted: false });
});

t.test('exit ends the shell and gives its code, and the next line starts another shell', async (t) => {
  for (const kind of kinds) {
    await using shell = box.shell({ shell: kind });
    t.match(
      await shell.run('echo bye; exit 5'),
      { exitCode: 5, output: 'bye', restarted: false, timedOut: false },
      kind,
    );
    t.match(await shell.run('echo again'), { exitCode: 0, output: 'again', restarted: true });
  }
});

t.test(
  'sh keeps variables, reports syntax errors and is interrupted as bash is',
  { skip: !hasDash && 'dash is not installed' },
  async (t) => {
    await using shell: Shell = box.shell({ shell: 'sh', cwd: '/', env: { B: '2' } });
    t.match(await shell.run('A=1; pwd; echo $B'), { exitCode: 0, output: '/\n2' });
    t.match(await shell.run('echo "unfinished'), { exitCode: 2, output: /[Uu]nterminated|unexpected EOF/ });
    t.match(await shell.run('cat; echo $A; (exit 3)'), { exitCode: 3, output: '1' });
    t.match(await shell.run('sleep 600', { timeout: 200 }), { timedOut: true, recovered: true });
    t.match(await shell.run('echo $A'), { output: '1' });
  },
);

t.test('onOutput gets output while its line runs, and the result keeps both ends of a long output', async (t) => {
  await using shell = box.shell({ maxBuffer: { head: 4, tail: 4 } });
  let heard = '';
  const result = await shell.run('echo 1234567890; echo end', { onOutput: (text) => (heard += text) });
  t.equal(heard, '1234567890\nend\n');
  t.match(result, { truncated: 7, output: '1234\n[… 7 bytes left out …]\nend' });
  const file = `${t.testdir()}/heard`;
  // The line ends only when the client has reported its output.
  const heardNow = shell.run(`echo x; until [ -e ${file} ]; do sleep 0.05; done`, {
    onOutput: () => writeFileSync(file, ''),
  });
  t.match(await heardNow, { exitCode: 0, output: 'x' });
});

t.teardown(() => box.close());
