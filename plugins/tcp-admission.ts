/** Lets `TcpAdmission` decide about each TCP connection before the app's server gets it. */
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { TcpAdmission } from '../src/server/tcp-admission.js';

export const tcpAdmissionPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    new TcpAdmission({ maxConnections: config.maxConnections, overload: app.overload }).guard(app.server);
  },
  { name: 'tcp-admission', dependencies: ['overload'] },
);
