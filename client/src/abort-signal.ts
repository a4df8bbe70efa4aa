/** What is needed of the platform's `AbortSignal`, so that the package's types stand without those of Node or of a browser. */

/** Of an `AbortSignal`, what is needed. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
