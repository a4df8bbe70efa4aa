/**
 * Lets a socket give what its peer sent before it left. A write to a peer that has gone fails, and Node destroys the socket at once, with all that the kernel
 * still holds for it. Writes come first when the process has stood still: timers and the output of commands are served before the socket is read. A last
 * `terminate` would be lost, and its command would live on. Knows no frame.
 */
import type { Duplex } from 'node:stream';

/** The part of a socket that is used here. */
export interface ReadableFirst extends Pick<Duplex, 'destroyed' | 'isPaused' | '_write' | '_writev'> {
  readonly bytesRead: number;
}

type Done = (error?: Error | null) => void;

/** Makes a failed write known to the socket only when everything that has arrived is read and taken. Until then further writes wait. */
export function readBeforeFailing(socket: ReadableFirst): void {
  const write = socket._write.bind(socket);
  const writeMany = socket._writev?.bind(socket);
  const orRead =
    (done: Done): Done =>
    (error) => {
      if (error) whenRead(socket, () => done(error));
      else done();
    };
  socket._write = (chunk, encoding, done) => write(chunk, encoding, orRead(done));
  if (writeMany !== undefined) socket._writev = (chunks, done) => writeMany(chunks, orRead(done));
}

/** Calls back when a whole turn of the event loop has read nothing. The peer has gone, so there is an end of what can be read. */
function whenRead(socket: ReadableFirst, callback: () => void): void {
  let seen: number | undefined;
  const look = (): void => {
    // A paused socket is resumed when its messages are served.
    if (socket.destroyed || (socket.bytesRead === seen && !socket.isPaused())) callback();
    else setImmediate(look);
    seen = socket.bytesRead;
  };
  setImmediate(look);
}
