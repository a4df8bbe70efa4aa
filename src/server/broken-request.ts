/**
 * Answers bytes that are no HTTP request, and requests that are not complete in time. It logs nothing, because the parser hands over the received bytes,
 * which may hold credentials.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** The error of Node's parser for a request that it could not read. */
interface BrokenRequest extends Error {
  readonly code?: string | undefined;
}

/** Answers with the reason if the peer can still read it, and closes the socket. For the server's `clientError`. */
export function answerBrokenRequest({ code }: BrokenRequest, socket: Socket): void {
  if (socket.writable && code !== 'ECONNRESET') {
    const status = statusOf(code);
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
  socket.destroy();
}

function statusOf(code: string | undefined): 400 | 408 | 431 {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
}
