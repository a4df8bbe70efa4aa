// Cases: throughput of output through pipes and a raw PTY, and of stdin, with the CPU time of the server.

import { freshId, NO_SANDBOX, streamToEnd } from '../commands.mjs';
import { FrameTemplate } from '../frame-writer.mjs';
import { isNotification } from '../rpc-connection.mjs';

const MIB = 1024 * 1024;

/** @param {string} what @returns {Record<string, import('../case.mjs').Metric>} */
function throughputMetrics(what) {
  return {
    mb_per_second: { title: what, unit: 'MB/s', better: 'higher' },
    cpu_per_gb: { title: `${what}: server CPU`, unit: 's/GB', better: 'lower' },
  };
}

/** @param {number} bytes @param {{ seconds: number, cpuSeconds: number }} cost */
function throughput(bytes, { seconds, cpuSeconds }) {
  return { mb_per_second: bytes / 1e6 / seconds, cpu_per_gb: cpuSeconds / (bytes / 1e9) };
}

/** Runs of a floor in one round. A single run in C is up to twice as fast or as slow, depending on the core of its writer. */
const FLOOR_RUNS = 3;

/** The middle one of a few runs of a floor. @param {import('../floors.mjs').Floors} floors @param {string} name @param {number} bytes */
async function typicalRun(floors, name, bytes) {
  /** @type {{ bytes: number, seconds: number, cpuSeconds: number }[]} */
  const runs = [];
  while (runs.length < FLOOR_RUNS) runs.push(await floors.json(name, bytes));
  for (const run of runs) if (run.bytes !== bytes) throw new Error(`${name} counted ${run.bytes} of ${bytes} bytes`);
  return runs.sort((a, b) => a.seconds - b.seconds)[FLOOR_RUNS >> 1];
}

/**
 * @param {import('../server-process.mjs').ServerProcess} server @param {(bytes: number) => string[]} command
 * @param {{ tty: boolean, bytes: number }} options
 */
async function measureStream(server, command, { tty, bytes }) {
  const connection = await server.connect();
  await streamToEnd(connection, command(bytes / 16), { tty, expected: bytes / 16 });
  const cpu = server.startCpuClock();
  const { seconds } = await streamToEnd(connection, command(bytes), { tty, expected: bytes });
  return throughput(bytes, { seconds, cpuSeconds: cpu() });
}

/** @type {import('../case.mjs').Case} */
export const pipeStream = {
  name: 'pipe-stream',
  title: 'Pipe stream',
  what: '`head -c 512M /dev/zero` streamed, every byte counted. Floor: blocking reads from the pipe in C.',
  metrics: throughputMetrics('pipe stream'),
  async run({ server, quick }) {
    const bytes = (quick ? 256 : 512) * MIB;
    return measureStream(server, (count) => ['head', '-c', String(count), '/dev/zero'], { tty: false, bytes });
  },
  async floorInC({ floors, quick }) {
    const bytes = (quick ? 256 : 512) * MIB;
    return throughput(bytes, await typicalRun(floors, 'pipe_read', bytes));
  },
};

/** @type {import('../case.mjs').Case} */
export const ptyStream = {
  name: 'pty-stream',
  title: 'Raw PTY stream',
  what: '`stty raw -echo; head -c 128M /dev/zero` streamed, every byte counted. Floor: blocking reads from the PTY in C.',
  metrics: throughputMetrics('raw PTY stream'),
  async run({ server, quick }) {
    /** @param {number} count */
    const command = (count) => ['sh', '-c', `stty raw -echo; exec head -c ${count} /dev/zero`];
    return measureStream(server, command, { tty: true, bytes: (quick ? 64 : 128) * MIB });
  },
  async floorInC({ floors, quick }) {
    const bytes = (quick ? 64 : 128) * MIB;
    return throughput(bytes, await typicalRun(floors, 'pty_read', bytes));
  },
};

/** Bytes in one write request. */
const WRITE_BYTES = 64 * 1024;
/** Write requests on the way at a time. */
const WRITE_WINDOW = 8;

/** @type {import('../case.mjs').Case} */
export const stdin = {
  name: 'stdin',
  title: 'stdin',
  what: `128 MiB to \`wc -c\` in \`write\` requests of 64 KiB, ${WRITE_WINDOW} on the way; the count it prints is verified. Floor: blocking writes in C.`,
  metrics: throughputMetrics('stdin'),
  async run({ server, quick }) {
    const connection = await server.connect();
    await writeToEnd(connection, 16 * MIB);
    const bytes = (quick ? 64 : 128) * MIB;
    const cpu = server.startCpuClock();
    const seconds = await writeToEnd(connection, bytes);
    return throughput(bytes, { seconds, cpuSeconds: cpu() });
  },
  async floorInC({ floors, quick }) {
    const bytes = (quick ? 64 : 128) * MIB;
    return throughput(bytes, await typicalRun(floors, 'pipe_write', bytes));
  },
};

/** @param {import('../rpc-connection.mjs').RpcConnection} connection @param {number} bytes @returns {Promise<number>} seconds */
async function writeToEnd(connection, bytes) {
  const processId = freshId('stdin');
  const deltaBase64 = Buffer.alloc(WRITE_BYTES, 'x').toString('base64');
  const template = new FrameTemplate('command/exec/write', { processId, deltaBase64 });
  const start = performance.now();
  const params = { command: ['wc', '-c'], processId, streamStdin: true, disableTimeout: true };
  const end = connection.call('command/exec', { ...params, sandboxPolicy: NO_SANDBOX });
  const count = bytes / WRITE_BYTES;
  await new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const fill = () => {
      while (sent < count && sent - answered < WRITE_WINDOW) {
        connection.sendTemplate(template, 1);
        sent++;
      }
    };
    connection.onRawFrame = (frame) => {
      if (frame.head.indexOf('"result":{}') < 0) {
        if (!isNotification(frame)) reject(new Error(`unexpected reply ${frame.head.toString('utf8', 0, 200)}`));
        return;
      }
      answered++;
      if (answered === count) resolve(undefined);
      else fill();
    };
    end.catch(reject);
    fill();
  }).finally(() => {
    connection.onRawFrame = undefined;
  });
  await connection.call('command/exec/write', { processId, closeStdin: true });
  const { stdout } = await end;
  if (Number(stdout) !== bytes) throw new Error(`wc -c counted ${stdout.trim()} of ${bytes} bytes`);
  return (performance.now() - start) / 1000;
}
