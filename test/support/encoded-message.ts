/** Makes messages as the exec layer gives them to a transport. */
import { type EncodedMessage, MESSAGE_HEADROOM_BYTES, MESSAGE_TAILROOM_BYTES } from '../../src/rpc/transport.js';

/** With bytes other than zero in both rooms. */
export function encoded(text: string, onSent?: () => void): EncodedMessage {
  const textBytes = Buffer.byteLength(text);
  const buffer = Buffer.alloc(MESSAGE_HEADROOM_BYTES + textBytes + MESSAGE_TAILROOM_BYTES, 0xee);
  buffer.write(text, MESSAGE_HEADROOM_BYTES);
  return onSent === undefined ? { buffer, textBytes } : { buffer, textBytes, onSent };
}
