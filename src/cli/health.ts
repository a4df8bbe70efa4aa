/** `execwire health`: asks the server on this host whether it is alive, for the health check of a container. Reads where it listens as `serve` does. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { messageOf } from '../../client/src/errors.js';
import { hasTlsByEnvironment, listenFromEnvironment } from '../config/client-settings.js';
import { ListenUrlError, parseListenUrl, type SocketAddress } from '../config/listen-address.js';
import { describedCommand } from './described-command.js';
import { CliError } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { say } from './say.js';

/** Docker knows no other code for a container that is not well. */
const EXIT_UNHEALTHY = 1;
/** Milliseconds. A server that does not answer a probe by then does not answer clients either. */
const ANSWER_LIMIT_MS = 3_000;
const OK = 200;

export const health = describedCommand({
  name: 'health',
  summary: 'Asks the server on this host whether it is well.',
  usage: '[flags]',
  flags: [
    { name: 'listen', placeholder: 'URL', description: 'Where `serve` listens. [EXECWIRE_LISTEN]' },
    { name: 'tls-cert', placeholder: 'PATH', description: 'As given to `serve`: asks by HTTPS. [EXECWIRE_TLS_CERT]' },
    { name: 'ready', description: 'Asks whether it takes new clients, which it does not while it drains.' },
  ],
  notes: `For the health check of a container. It asks /livez, with --ready /readyz. It takes the flags and variables of \`serve\` that say where the server
listens; variables of the container hold for both. Ends with 0, or with ${EXIT_UNHEALTHY} when the server does not answer so.`,
  examples: [
    ['execwire health', 'Asks the server that EXECWIRE_LISTEN names.'],
    ['execwire health --listen unix:///run/execwire.sock', 'Asks one on a Unix socket.'],
  ],
  maxWords: 0,
  async run(given) {
    const address = addressOf(given);
    const path = given.has('ready') ? '/readyz' : '/livez';
    const isSecure = given.has('tls-cert') || hasTlsByEnvironment();
    try {
      const status = await statusOf(address, path, isSecure);
      if (status === OK) return 0;
      say(`${path} answers ${status}`);
    } catch (error) {
      say(`${path}: ${messageOf(error)}`);
    }
    return EXIT_UNHEALTHY;
  },
});

/** @throws {CliError} where no listener is named */
function addressOf(given: GivenFlags): SocketAddress {
  const url = given.text('listen') ?? listenFromEnvironment() ?? 'stdio://';
  try {
    const address = parseListenUrl(url);
    if (address.kind !== 'stdio' && !(address.kind === 'ws' && address.port === 0)) return address;
  } catch (error) {
    if (!(error instanceof ListenUrlError)) throw error;
    throw new CliError(error.message);
  }
  throw new CliError(`nobody can ask at ${url}: set EXECWIRE_LISTEN, or give --listen, as for \`serve\``);
}

/** A server that listens on every address of this host is asked by loopback. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return /^[0:]+$/.test(host) ? '::1' : host;
}

/** The status that the server answers with. @throws {Error} when it does not answer in time */
function statusOf(address: SocketAddress, path: string, isSecure: boolean): Promise<number> {
  const where =
    address.kind === 'unix' ? { socketPath: address.path } : { host: reachableHost(address.host), port: address.port };
  return new Promise((resolve, reject) => {
    const request = isSecure ? requestHttps : requestHttp;
    const options = {
      ...where,
      path,
      agent: false,
      timeout: ANSWER_LIMIT_MS,
      // The certificate names the public host, and this host asks itself. No secret is sent.
      rejectUnauthorized: false,
    };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS / 1000} s`)));
    sent.once('error', reject);
    sent.end();
  });
}
