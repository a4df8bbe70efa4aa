/** The WebSocket close codes in use, by what they mean here. @see RFC 6455 section 7.4 */
export const closeCodes = {
  /** Nothing is left to do. */
  done: 1000,
  /** The server is draining and this connection has nothing running. */
  goingAway: 1001,
  /** A binary frame came: messages are text. */
  unsupportedData: 1003,
  /** Never initialized, token expired, or the peer takes not even its replies. */
  policyViolation: 1008,
  /** A frame over `maxFrameBytes`. */
  messageTooBig: 1009,
  /** A fault of the server. */
  internalError: 1011,
  /** The drain's deadline passed. */
  serviceRestart: 1012,
} as const;
