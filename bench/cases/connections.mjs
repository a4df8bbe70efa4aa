// Case: how many connections a second a server takes.

import { RpcConnection } from '../rpc-connection.mjs';

/** Connections that are opened at the same time. */
const WIDTH = 16;

/** @type {import('../case.mjs').Case} */
export const connections = {
  name: 'connections',
  title: 'Connections per second',
  what: `Connect, upgrade, \`initialize\`, close; ${WIDTH} at a time.`,
  metrics: {
    per_second: { title: 'connections', unit: '/s', better: 'higher' },
    cpu_ms: { title: 'server CPU per connection', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    /** @param {number} count */
    const openAndClose = async (count) => {
      const start = performance.now();
      let begun = 0;
      const lane = async () => {
        while (begun++ < count) await (await RpcConnection.open(server.port)).close();
      };
      await Promise.all(Array.from({ length: WIDTH }, lane));
      return (performance.now() - start) / 1000;
    };
    await openAndClose(160);
    const count = quick ? 500 : 1_500;
    const cpu = server.startCpuClock();
    const seconds = await openAndClose(count);
    return { per_second: count / seconds, cpu_ms: (cpu() * 1e3) / count };
  },
};
