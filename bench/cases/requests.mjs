// Cases: a request that is answered at once; alone and pipelined.

import { once } from 'node:events';
import { CHEAP_CODE, CHEAP_METHOD, CHEAP_PARAMS, cheapRequest } from '../commands.mjs';
import { FrameTemplate } from '../frame-writer.mjs';
import { isNotification } from '../rpc-connection.mjs';
import { percentile, sample } from '../statistics.mjs';

/** Requests that are not counted, because a server in JavaScript compiles meanwhile; the notes say how long they take. */
const WARM_UP = 4_000;

/** @type {import('../case.mjs').Case} */
export const roundTrip = {
  name: 'round-trip',
  title: 'Request round trip',
  what: `One \`${CHEAP_METHOD}\` of an unknown \`processId\` (answered with ${CHEAP_CODE}) after the other on one connection, after ${WARM_UP} that are not counted. Floor: 100 bytes to a C program over TCP and back.`,
  metrics: {
    p50_ms: { title: 'round trip p50', unit: 'ms', better: 'lower' },
    p99_ms: { title: 'round trip p99', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    const count = quick ? 2_000 : 5_000;
    const times = await sample({ count, maxMs: 4_000, warmUp: WARM_UP }, () => cheapRequest(connection));
    return { p50_ms: percentile(times, 50), p99_ms: percentile(times, 99) };
  },
  async floorInC({ floors, quick }) {
    return floors.withTcpEcho(async (socket) => {
      const message = Buffer.alloc(100, 'x');
      const count = quick ? 2_000 : 5_000;
      const times = await sample({ count, maxMs: 4_000, warmUp: WARM_UP }, async () => {
        socket.write(message);
        await once(socket, 'data');
      });
      return { p50_ms: percentile(times, 50), p99_ms: percentile(times, 99) };
    });
  },
};

/** Requests on the way at the same time: the reference refuses more than its queue of 128. */
const WINDOW = 64;
const CODE_TEXT = Buffer.from(`"code":${CHEAP_CODE}`);

/**
 * Sends `count` requests with a window, and counts the good replies; returns seconds.
 * @param {import('../rpc-connection.mjs').RpcConnection} connection @param {number} count @returns {Promise<number>}
 */
export function pipelineRequests(connection, count) {
  const template = new FrameTemplate(CHEAP_METHOD, CHEAP_PARAMS);
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const start = performance.now();
    let filling = false;
    const fill = () => {
      filling = false;
      const more = Math.min(WINDOW - (sent - answered), count - sent);
      if (more > 0) connection.sendTemplate(template, more);
      sent += more;
    };
    connection.onRawFrame = (frame) => {
      if (frame.head.indexOf(CODE_TEXT) < 0) {
        if (!isNotification(frame)) reject(new Error(`unexpected reply ${frame.head.toString('utf8', 0, 200)}`));
        return;
      }
      answered++;
      if (answered === count) {
        connection.onRawFrame = undefined;
        resolve((performance.now() - start) / 1000);
      } else if (!filling) {
        // One write for all the replies of one read: it carries the acknowledgement that a server without TCP_NODELAY waits for.
        filling = true;
        queueMicrotask(fill);
      }
    };
    fill();
  });
}

/** @type {import('../case.mjs').Case} */
export const pipelined = {
  name: 'pipelined',
  title: 'Pipelined requests',
  what: `The same request with up to ${WINDOW} on the way on one connection (the reference refuses more than its queue of 128 takes).`,
  metrics: {
    per_second: { title: 'pipelined requests', unit: '/s', better: 'higher' },
    cpu_us: { title: 'server CPU per pipelined request', unit: 'µs', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    await pipelineRequests(connection, 9_600);
    const count = quick ? 16_000 : 32_000;
    const cpu = server.startCpuClock();
    const seconds = await pipelineRequests(connection, count);
    return { per_second: count / seconds, cpu_us: (cpu() * 1e6) / count };
  },
};
