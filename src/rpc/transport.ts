/**
 * What the RPC core knows of a transport: it carries texts both ways, in order, and says how much it still holds. WebSocket, stdio and
 * the in-memory pair of the tests implement it.
 */

/** Free bytes an {@link EncodedMessage} leaves before its text, for a transport to write its own header there. Ten is a WebSocket's longest. */
export const MESSAGE_HEADROOM_BYTES = 10;
/** Free bytes after the text, for a transport that ends a message with a line feed. */
export const MESSAGE_TAILROOM_BYTES = 1;

/** A message that was written as UTF-8 already, so that no transport copies or encodes it again. */
export interface EncodedMessage {
  /** `MESSAGE_HEADROOM_BYTES` free, the text, `MESSAGE_TAILROOM_BYTES` free. The transport may write into both rooms. */
  readonly buffer: Buffer;
  /** Length of the text. */
  readonly textBytes: number;
  /** Called when the bytes have left the process and `buffer` may be used again. Not called when the connection ends before. */
  readonly onSent?: () => void;
}

/** A message in pieces, for texts longer than a string can be. Together they are UTF-8. */
export type MessageParts = readonly Buffer[];

/** What a transport tells its connection. */
export interface TransportListener {
  /** One whole message, in UTF-8. */
  onMessage(message: Buffer): void;
  /** What came can never be a message, such as a line over the limit; `detail` says what it was. The transport goes on. */
  onUnreadable(detail: string): void;
  /** Everything held was handed to the kernel, after `bufferedBytes` had been above the transport's own mark. */
  onDrain(): void;
  /** The peer sends nothing more and may still read: what it asked for is owed. At most once, and only where a peer can do so. */
  onEnd(): void;
  /** The peer wants to close, and what it sent before is to be served before it is answered. @param proceed answers; nothing is sent afterwards */
  onClosing(proceed: () => void): void;
  /** The transport has ended; no message follows. Once. */
  onClose(code: number): void;
}

/** Carries the messages of one connection. */
export interface Transport {
  readonly kind: 'websocket' | 'stdio' | 'memory';
  /** Bytes held here that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Bytes given to this transport since the start, its own framing included: less `bufferedBytes` it is what the kernel has taken. */
  readonly sentBytes: number;
  /** Bytes that have come in since the start: shows that a peer is alive. */
  readonly receivedBytes: number;
  /** Whole messages, and answers to pings, that have come in since the start: bytes alone may be a frame that never ends. */
  readonly receivedMessages: number;
  /** Starts the flow: nothing is reported before. Called once. */
  open(listener: TransportListener): void;
  send(text: string): void;
  sendEncoded(message: EncodedMessage): void;
  sendParts(parts: MessageParts): void;
  /** Stops and resumes taking messages from the kernel. */
  pause(): void;
  resume(): void;
  /** A sign of life that a living peer answers, where the transport has one. */
  ping(): void;
  /** Ends in order: what is held goes out first, then the code. */
  close(code: number, reason: string): void;
  /** Ends at once; what is held is lost. */
  abort(): void;
}
