/** Gives memory back after a burst, as long as the app runs. */
import fp from 'fastify-plugin';
import { MemoryReturn } from '../src/server/memory-return.js';

export const memoryPlugin = fp(
  async (app) => {
    const memory = new MemoryReturn();
    memory.start();
    app.addHook('onClose', async () => memory.stop());
  },
  { name: 'memory' },
);
