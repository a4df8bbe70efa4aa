// Shows what real programs on pipes and terminals get, how their output and input arrive, and how they end. Long because each holds on both kinds.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { countOpenDescriptors } from '../../src/process/open-descriptors.js';
import { readProcEntry } from '../../src/process/proc-table.js';
import { createRandom } from '../support/seed.js';
import { until } from '../support/until.js';
import { run, start, TERMINAL, write } from './start.js';

const random = createRandom();

const KINDS = [
  { kind: 'pipes', options: {} },
  { kind: 'a terminal', options: { tty: TERMINAL } },
] as const;

// One test at a time, because descriptors are counted.
t.jobs = 1;

// The native libraries keep descriptors and threads from their first use on.
t.before(async () => {
  for (const { options } of KINDS) await run({ argv: ['true'], ...options });
});

t.test('output arrives whole when runs of mixed sizes are read with random pauses', async (t) => {
  const sizes = [1, 2, 100, 4095, 4096, 4097, 8192, 20_000, 65_535, 65_536, 65_537, 200_000];
  const lost: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < 400; i = next++) {
      const size = sizes[i % sizes.length] ?? 0;
      const tty = i % 2 === 1;
      const script = `${tty ? 'stty raw -echo; ' : ''}exec head -c ${size} /dev/zero`;
      let bytes = 0;
      const pausing = random.chance(0.4);
      await run(
        { argv: ['sh', '-c', script], ...(tty ? { tty: TERMINAL } : {}) },
        {
          keep: false,
          onOutput(process, stream, chunk) {
            bytes += chunk.length;
            if (!pausing) return;
            process.pauseOutput(stream);
            setTimeout(() => process.resumeOutput(stream), random.int(0, 10));
          },
        },
      );
      if (bytes !== size) lost.push(`${tty ? 'terminal' : 'pipe'}: ${bytes} of ${size}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  t.same(lost, []);
});

for (const { kind, options } of KINDS) {
  t.test(`process on ${kind} reports its exit code or its signal`, async (t) => {
    for (const exitCode of [0, 1, 7, 255]) {
      const { status } = await run({ argv: ['sh', '-c', `exit ${exitCode}`], ...options });
      t.same(status, { exitCode, signal: null });
    }
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSEGV', 'SIGHUP'] as const) {
      const { status } = await run({ argv: ['sh', '-c', `kill -${signal.slice(3)} $$`], ...options });
      t.same(status, { exitCode: null, signal });
    }
  });

  t.test(`process on ${kind} has descriptors 0, 1 and 2 and no other when terminals are open beside it`, async (t) => {
    const shells = await Promise.all([1, 2, 3].map(() => start({ argv: ['cat'], tty: TERMINAL })));
    // The process is stopped while its descriptors are read, because a program that is being loaded has its libraries open.
    const running = await start({ argv: ['sh', '-c', 'echo ready; kill -STOP $$'], ...options });
    await running.said('ready');
    t.same(readdirSync(`/proc/${running.process.pid}/fd`), ['0', '1', '2']);
    process.kill(running.process.pid, 'SIGKILL');
    await running.done;
    for (const shell of shells) shell.process.stdin?.end();
    await Promise.all(shells.map(({ done }) => done));
  });

  t.test(`process on ${kind} starts with no signal blocked or ignored`, async (t) => {
    const { text } = await run({ argv: ['grep', '-E', '^Sig(Blk|Ign):', '/proc/self/status'], ...options });
    t.same(text().match(/[0-9a-f]{16}/g), ['0'.repeat(16), '0'.repeat(16)]);
  });

  t.test(`process on ${kind} leads its own group and session`, async (t) => {
    const { process: started, text } = await run({ argv: ['sh', '-c', 'cut -d" " -f1,5,6 /proc/$$/stat'], ...options });
    t.equal(text().trim(), `${started.pid} ${started.pid} ${started.pid}`);
  });

  t.test(`process on ${kind} can open its standard streams by name`, async (t) => {
    const script =
      'echo one > /dev/stdout; echo two > /dev/stderr; echo three | tee /dev/stderr > /dev/null; head -n 1 /dev/stdin';
    const running = await start({ argv: ['sh', '-c', script], stdin: true, ...options });
    await write(running, 'four\n');
    await running.done;
    const all = (running.text() + running.text('stderr')).replaceAll('\r', '');
    for (const word of ['one\n', 'two\n', 'three\n', 'four\n']) t.match(all, word);
  });

  t.test(`stdin of 8 MiB on ${kind} arrives in order when the reader starts late`, async (t) => {
    const bytes = 8 * 1024 * 1024;
    const input = random.bytes(bytes);
    const raw = 'tty' in options ? 'stty raw -echo; ' : '';
    const script = `${raw}echo ready; while [ ! -e go ]; do sleep 0.02; done; head -c ${bytes} | sha256sum`;
    const running = await start({ argv: ['sh', '-c', script], cwd: t.testdir({}), stdin: true, ...options });
    await running.said('ready');
    const order: number[] = [];
    const slice = 100_000;
    const written = Promise.all(
      Array.from({ length: Math.ceil(bytes / slice) }, async (_, i) => {
        await write(running, input.subarray(i * slice, (i + 1) * slice));
        order.push(i);
      }),
    );
    t.ok((running.process.stdin?.queuedBytes ?? 0) > bytes / 2, 'most of it waits in this process');
    writeFileSync(`${t.testdirName}/go`, '');
    await written;
    await running.done;
    t.match(running.text(), createHash('sha256').update(input).digest('hex'));
    t.same(
      order,
      order.toSorted((a, b) => a - b),
    );
    t.equal(running.process.stdin?.queuedBytes, 0);
  });

  t.test(`writes on ${kind} that wait get an error when the process is disposed of`, async (t) => {
    const running = await start({ argv: ['sleep', '60'], stdin: true, ...options });
    const raw = Buffer.alloc(1_000_000, 'x\n');
    const pending = Promise.allSettled([write(running, raw), write(running, raw)]);
    process.kill(running.process.pid, 'SIGKILL');
    await running.exit;
    running.process.dispose();
    for (const { status } of await pending) t.equal(status, 'rejected');
    await t.rejects(write(running, 'late'));
    running.process.stdin?.end();
    running.process.dispose();
  });

  t.test(`cutOutput on ${kind} ends the stream when a background child goes on writing`, async (t) => {
    const script = `trap '' HUP; yes & echo pid=$!; while :; do sleep 0.01; [ -s started ] && exit; done`;
    const dir = t.testdir({});
    const running = await start({ argv: ['sh', '-c', script], cwd: dir, ...options });
    await running.said('pid=');
    writeFileSync(`${dir}/started`, 'x');
    await running.exit;
    running.process.pauseOutput('stdout');
    running.process.cutOutput('stdout');
    if (running.process.outputs.includes('stderr')) running.process.cutOutput('stderr');
    await running.done;
    running.process.cutOutput('stdout');
    const pid = Number(/pid=(\d+)/.exec(running.text())?.[1]);
    await t.rejects(
      untilGone(pid).then(() => process.kill(pid, 0) && Promise.resolve()),
      { code: 'ESRCH' },
    );
  });

  t.test(`last output on ${kind} arrives when its reader was paused at the exit`, async (t) => {
    const script = 'head -c 3000 /dev/zero; exit 5';
    const running = await start({ argv: ['sh', '-c', script], ...options });
    for (const stream of running.process.outputs) running.process.pauseOutput(stream);
    t.same(await running.exit, { exitCode: 5, signal: null });
    for (const stream of running.process.outputs) running.process.resumeOutput(stream);
    await running.done;
    t.equal(running.bytes().length, 3000);
  });
}

t.test('end of stdin on a pipe reaches the reader after the last byte', async (t) => {
  const running = await start({ argv: ['cat'], stdin: true });
  running.process.stdin?.write(Buffer.from('whole'), (error) => t.equal(error, undefined));
  running.process.stdin?.end();
  running.process.stdin?.end();
  t.same(await running.done, { exitCode: 0, signal: null });
  t.equal(running.text(), 'whole');
  await t.rejects(write(running, 'late'));
});

t.test('end of stdin on a terminal reaches the reader when a line is whole, unfinished or empty', async (t) => {
  for (const line of ['whole\n', 'unfinished', '']) {
    const running = await start({ argv: ['cat'], tty: TERMINAL });
    if (line !== '') await write(running, line);
    running.process.stdin?.end();
    t.same(await running.done, { exitCode: 0, signal: null }, JSON.stringify(line));
  }
});

t.test('end of stdin on a raw terminal types one end-of-file byte', async (t) => {
  const running = await start({
    argv: ['sh', '-c', 'stty raw -echo; echo ready; head -c 2 | od -An -tx1'],
    tty: TERMINAL,
  });
  await running.said('ready');
  await write(running, 'a');
  running.process.stdin?.end();
  await running.done;
  t.match(running.text(), '61 04');
});

t.test('write fails when the reader has closed its end of the pipe', async (t) => {
  const running = await start({ argv: ['sh', '-c', 'exec 0<&-; echo closed; sleep 60'], stdin: true });
  await running.said('closed');
  await t.rejects(write(running, Buffer.alloc(200_000)), { code: 'EPIPE' });
  await t.rejects(write(running, 'more'));
  process.kill(-running.process.pid, 'SIGKILL');
  await running.done;
});

t.test('terminal has its initial size and signals when it is resized', async (t) => {
  const script = `trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.01; done`;
  const running = await start({ argv: ['sh', '-c', script], tty: { rows: 31, cols: 97 } });
  await running.said('31 97');
  running.process.resize({ rows: 40, cols: 65_535 });
  await running.done;
  t.match(running.text(), '40 65535');
  t.doesNotThrow(() => running.process.resize(TERMINAL), 'a resize after the end does nothing');
});

t.test('write to a terminal is tried ever more rarely while its program does not read', async (t) => {
  const running = await start({ argv: ['sh', '-c', 'stty raw -echo; echo ready; exec sleep 600'], tty: TERMINAL });
  await running.said('ready');
  const delaysMs: number[] = [];
  const realSetTimeout = globalThis.setTimeout;
  t.teardown(() => {
    globalThis.setTimeout = realSetTimeout;
  });
  const late = Promise.allSettled([
    new Promise<void>((resolve) => {
      globalThis.setTimeout = ((callback: () => void, delayMs: number) => {
        delaysMs.push(delayMs);
        if (delayMs === 250) resolve();
        return realSetTimeout(callback, 0);
      }) as typeof setTimeout;
    }),
  ]);
  const written = write(running, Buffer.alloc(100_000)).catch(() => {});
  await late;
  globalThis.setTimeout = realSetTimeout;
  // The delays start again each time the kernel takes some bytes, so only those after the last start count.
  const begins = delaysMs.findLastIndex(
    (delayMs, index) => delayMs < (delaysMs[index - 1] ?? Number.POSITIVE_INFINITY),
  );
  const grown = delaysMs.slice(begins);
  t.same([...new Set(grown)], [1, 2, 4, 8, 16, 32, 64, 128, 250]);
  process.kill(running.process.pid, 'SIGKILL');
  await running.done;
  await written;
});

t.test('process on a terminal leads its session when its pid is told', async (t) => {
  const late: string[] = [];
  await Promise.all(
    Array.from({ length: 40 }, async () => {
      const running = await start({ argv: ['sleep', '600'], tty: TERMINAL });
      const { pid } = running.process;
      const entry = readProcEntry(pid);
      if (entry?.group !== pid || entry.session !== pid) late.push(JSON.stringify(entry));
      process.kill(-pid, 'SIGKILL');
      t.same(await running.done, { exitCode: null, signal: 'SIGKILL' });
    }),
  );
  t.same(late, []);
});

t.test('terminal hangs up its session when it is disposed of while its program runs', async (t) => {
  const dir = t.testdir({});
  const script = `trap 'echo > hung-up; exit' HUP; echo ready; while :; do sleep 0.01; done`;
  const running = await start({ argv: ['sh', '-c', script], cwd: dir, tty: TERMINAL });
  await running.said('ready');
  running.process.dispose();
  await untilGone(running.process.pid);
  t.ok(existsSync(`${dir}/hung-up`));
});

t.test('resize throws when the process has no terminal', async (t) => {
  const running = await start({ argv: ['true'] });
  t.throws(() => running.process.resize(TERMINAL));
  await running.done;
});

t.test(
  'output of a background process is read on when the leader has ended and the terminal is still held',
  async (t) => {
    const dir = t.testdir({});
    const script = `trap '' HUP; (while [ ! -e go ]; do sleep 0.01; done; echo late) & exit 0`;
    const running = await start({ argv: ['sh', '-c', script], cwd: dir, tty: TERMINAL });
    await running.exit;
    writeFileSync(`${dir}/go`, '');
    await running.done;
    t.match(running.text(), 'late');
  },
);

t.test('stdin is /dev/null when it is not asked for', async (t) => {
  const { text } = await run({ argv: ['readlink', '/proc/self/fd/0'] });
  t.equal(text(), '/dev/null\n');
});

t.test('as many descriptors are open as before when 200 commands have run', async (t) => {
  const before = countOpenDescriptors();
  for (let round = 0; round < 25; round += 1) {
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        run({ argv: ['echo', 'x'], stdin: i % 2 === 0, ...(i < 4 ? { tty: TERMINAL } : {}) }),
      ),
    );
  }
  t.equal(countOpenDescriptors(), before);
});

/** Resolves when a process has ended, because one that was hung up, or has a broken pipe, needs a moment. */
async function untilGone(pid: number): Promise<void> {
  await until(`process ${pid} is gone`, () => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
}
