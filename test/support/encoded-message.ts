/** Makes encoded messages as a transport gets them. Knows no transport. */
import { type EncodedMessage, MESSAGE_HEADROOM_BYTES, MESSAGE_TAILROOM_BYTES } from '../../src/rpc/transport.js';

/** A message whose room before and after the text holds bytes other than zero. */
export function encoded(text: string, onSent?: () => void): EncodedMessage {
  const textBytes = Buffer.byteLength(text);
  const buffer = Buffer.alloc(MESSAGE_HEADROOM_BYTES + textBytes + MESSAGE_TAILROOM_BYTES, 0xee);
  buffer.write(text, MESSAGE_HEADROOM_BYTES);
  return onSent === undefined ? { buffer, textBytes } : { buffer, textBytes, onSent };
}
