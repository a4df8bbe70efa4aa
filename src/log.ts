/** The log: pino's JSON lines on standard error, which is the only place for anything but messages. */
import pino, { type Logger } from 'pino';

/** Makes the logger of one server. */
export function createLog(level: string): Logger {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
}
