// The shell that persists from line to line, against the built server: what survives, what ends it, and what cannot be forged.
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { connect, type Shell } from '../../client/src/node.js';
import { startServer } from '../support/server.js';

const server = await startServer(t);
const box = await connect(server.url, { name: 'test' });
/** Lines whose timeout is near their end: enough that many of them meet it. */
const SWEEP_ROUNDS = 40;
const hasDash = spawnSync('dash', ['-c', 'true']).status === 0;

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

t.test('shell survives what reads its input, breaks its syntax, fails under set -e, or sets odd options', async (t) => {
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
});

t.test('shell keeps its own words out of the output when the line sets traps, traces or prompts', async (t) => {
  await using shell = box.shell();
  await shell.run(`trap 'echo "about to run: $BASH_COMMAND"' DEBUG`);
  t.equal((await shell.run('echo hello')).output, 'about to run: echo hello\nhello');
  await shell.run('trap - DEBUG; PROMPT_COMMAND="echo prompt" PS0="going " PS1="more "');
  t.equal((await shell.run('echo hello')).output, 'hello');
  await shell.run('BASH_XTRACEFD=1; set -x');
  t.match(await shell.run('echo on'), { exitCode: 0, output: /^\++ echo on\non$/ });
  // Which closes the descriptor of the output.
  await shell.run('set +x; unset BASH_XTRACEFD');
  t.match(await shell.run('echo on'), { exitCode: 0, output: 'on' });
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

t.test('a line that takes too long is interrupted, and the shell lives on with its variables', async (t) => {
  await using shell = box.shell();
  await shell.run('A=kept');
  const result = await shell.run('echo so far; sleep 600; echo never', { timeout: 300 });
  t.match(result, { timedOut: true, recovered: true, output: 'so far', exitCode: 130 });
  t.match(await shell.run('echo $A'), { output: 'kept', restarted: false });
});

t.test('the next line runs whole when a timeout comes near the natural end of a line', async (t) => {
  for (const kind of hasDash ? (['bash', 'sh'] as const) : (['bash'] as const)) {
    await using shell = box.shell({ shell: kind });
    const { durationMs } = await shell.run('A=kept; sleep 0.05');
    let timeouts = 0;
    for (let round = 0; round < SWEEP_ROUNDS; round += 1) {
      // From well before the end to well behind it.
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

t.test('a line that ignores Ctrl-C is killed with its shell, and the next line starts another one', async (t) => {
  await using shell = box.shell();
  await shell.run('A=gone');
  const result = await shell.run("echo stubborn; (trap '' INT; while :; do sleep 0.1; done)", { timeout: 200 });
  t.match(result, { timedOut: true, recovered: false, exitCode: undefined, output: 'stubborn' });
  t.match(await shell.run('echo "[$A]"'), { output: '[]', restarted: true });
  t.match(await shell.run('true'), { restarted: false });
});

t.test('exit ends the shell and tells its code, and the next line starts another one', async (t) => {
  for (const kind of hasDash ? (['bash', 'sh'] as const) : (['bash'] as const)) {
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
  'sh does what bash does, but for set -e, which ends it',
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

t.test('output comes while a line runs, and both ends of a long one are kept', async (t) => {
  await using shell = box.shell({ maxBuffer: { head: 4, tail: 4 } });
  let heard = '';
  const result = await shell.run('echo 1234567890; echo end', { onOutput: (text) => (heard += text) });
  t.equal(heard, '1234567890\nend\n');
  t.match(result, { truncated: 7, output: '1234\n[… 7 bytes left out …]\nend' });
});

t.teardown(() => box.close());
