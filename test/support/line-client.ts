/** The wire client over standard input and output of a server, a line for each message. Adds no method to those of every peer. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { WirePeer } from './wire-peer.js';

/** A client on the pipes of one server. */
export class LineClient extends WirePeer {
  readonly stdin: Writable;
  readonly stdout: Readable;

  constructor({ stdin, stdout }: ChildProcess) {
    super();
    if (stdin === null || stdout === null) throw new Error('the server has no pipes');
    this.stdin = stdin;
    this.stdout = stdout;
    // A server that has ended reads no more.
    stdin.on('error', () => {});
    createInterface({ input: stdout })
      .on('line', (line) => this.receive(line))
      .on('close', () => this.finish({ code: 1000, reason: 'the output has ended' }));
  }

  protected override sendText(text: string): void {
    this.stdin.write(`${text}\n`);
  }
}
