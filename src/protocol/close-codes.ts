/** The WebSocket close codes in use, and what they mean in this protocol. @see RFC 6455 section 7.4 */
export const closeCodes = {
  /** Nothing is left to do. */
  done: 1000,
  /** The server is draining and this connection has nothing running. */
  goingAway: 1001,
  /** A binary frame came, but messages are text. */
  unsupportedData: 1003,
  /** Never initialized, credential expired, or the peer does not read its replies. */
  policyViolation: 1008,
  /** A frame over `maxFrameBytes`. */
  messageTooBig: 1009,
  /** A fault of the server. */
  internalError: 1011,
  /** The drain's deadline passed. */
  serviceRestart: 1012,
} as const;
