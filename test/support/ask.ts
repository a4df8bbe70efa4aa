// Sends one HTTP request, or upgrade, of a test and returns its answer. Speaks no WebSocket: an accepted upgrade is closed at once.

import { randomBytes } from 'node:crypto';
import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';

/** What to ask. */
export interface Question {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Ask for an upgrade to a WebSocket. Default: a plain request. */
  readonly upgrade?: boolean;
  /** Text of a body. Default: none. */
  readonly body?: string;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
}

/** What came back. Status 101 means that the upgrade was accepted. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Where to ask. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Sends the request and resolves to its whole answer. */
export function ask(address: Address, question: Question): Promise<Answer> {
  const { path = '/', method = 'GET', headers = {}, upgrade = false, body: sent, agent = false } = question;
  const upgradeHeaders = upgrade
    ? {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      }
    : {};
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const asking = request({ host, port, path, method, headers: { ...upgradeHeaders, ...headers }, agent });
    asking.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: response.headers, body: '' });
    });
    asking.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asking.on('error', reject);
    asking.end(sent);
  });
}
