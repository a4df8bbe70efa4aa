/**
 * What the RPC core knows of a transport: it carries texts both ways, in order, and says how much it still holds. WebSocket, stdio and
 * the in-memory pair of the tests implement it.
 */

/** Free bytes before the text of an {@link EncodedMessage}, where a transport writes its own header. The longest one is a WebSocket's: ten bytes. */
export const MESSAGE_HEADROOM_BYTES = 10;
/** Free bytes after the text, for a transport that ends a message with a line feed. */
export const MESSAGE_TAILROOM_BYTES = 1;

/** A message that is UTF-8 already, so that no transport copies or encodes it again. */
export interface EncodedMessage {
  /** `MESSAGE_HEADROOM_BYTES` free, the text, `MESSAGE_TAILROOM_BYTES` free. The transport may write into both rooms. */
  readonly buffer: Buffer;
  /** Length of the text. */
  readonly textBytes: number;
  /** Called when the bytes have left the process and `buffer` may be used again. Not called when the connection ends earlier. */
  readonly onSent?: () => void;
}

/** A message in pieces, for texts longer than a string can be. Together they are UTF-8. */
export type MessageParts = readonly Buffer[];

/** What a transport tells its connection. */
export interface TransportListener {
  /** One whole message, in UTF-8. */
  onMessage(message: Buffer): void;
  /** Input that can never be a message, such as a line over the limit; `detail` says what it was. The transport goes on. */
  onUnreadable(detail: string): void;
  /** The kernel has taken everything that was held, after `bufferedBytes` had been above the transport's own mark. */
  onDrain(): void;
  /**
   * The peer sends nothing more and may still read; replies to its requests are still due. At most once, and only on transports that have such an
   * end.
   */
  onEnd(): void;
  /** The peer wants to close. Its earlier messages are to be served first. @param proceed answers the peer's Close; nothing is sent afterwards */
  onClosing(proceed: () => void): void;
  /** The transport has ended; no message follows. Once. */
  onClose(code: number): void;
}

/** Carries the messages of one connection. */
export interface Transport {
  readonly kind: 'websocket' | 'stdio' | 'memory';
  /** Bytes held here that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Bytes given to this transport since the start, its own framing included. Less `bufferedBytes` this is what the kernel has taken. */
  readonly sentBytes: number;
  /** Bytes that have come in since the start; they show that a peer is alive. */
  readonly receivedBytes: number;
  /** Whole messages and answers to pings that have come in since the start. Bytes alone may belong to a frame that never ends. */
  readonly receivedMessages: number;
  /** Starts the flow; nothing is reported earlier. Called once. */
  open(listener: TransportListener): void;
  send(text: string): void;
  sendEncoded(message: EncodedMessage): void;
  sendParts(parts: MessageParts): void;
  /** Stops and resumes taking messages from the kernel. */
  pause(): void;
  resume(): void;
  /** Asks the peer for a sign of life, if the transport can. */
  ping(): void;
  /** Ends in order: sends what is held, then the code. */
  close(code: number, reason: string): void;
  /** Ends at once and loses what is held. */
  abort(): void;
}
