/** Why an operation on a file failed, by a reason that every wire can translate. Knows no wire. */
import { constants } from 'node:os';

/** What went wrong. Each dialect and HTTP map these to their own codes. */
export type FileErrorReason =
  /** Nothing is there, or a folder on the way is missing (ENOENT). */
  | 'notFound'
  /** The operating system refuses (EACCES, EPERM), or the file is one of the server's secrets. */
  | 'denied'
  /** Something is there already (EEXIST). */
  | 'exists'
  /** A folder was expected (ENOTDIR). */
  | 'notADirectory'
  /** A file was expected, and it is a folder (EISDIR). */
  | 'isADirectory'
  /** It is neither a file nor a folder: a device, a pipe or a socket; or a folder where bytes were asked for. */
  | 'notAFile'
  /** The folder has entries (ENOTEMPTY). */
  | 'notEmpty'
  /** More bytes, entries or levels than are allowed. */
  | 'tooLarge'
  /** The path leads out of the folders that this server serves. */
  | 'outsideRoot'
  /** The disk or a quota is full (ENOSPC, EDQUOT). */
  | 'noSpace'
  /** The file system is mounted read-only (EROFS). */
  | 'readOnly'
  /** A circle of symbolic links (ELOOP). */
  | 'linkLoop'
  /** The name or path is too long (ENAMETOOLONG). */
  | 'nameTooLong'
  /** The path is not absolute, is empty or contains a NUL byte; or another param cannot be used. */
  | 'invalid'
  /** It is in use (EBUSY, ETXTBSY). */
  | 'busy'
  /** Source and destination are on different file systems (EXDEV). */
  | 'otherDevice'
  /** A bound of the server was reached: handles, watches, descriptors. */
  | 'noRoom'
  /** A handle that is not open. */
  | 'unknownHandle'
  /** A handle of that name is open. */
  | 'handleExists'
  /** Any other failure of the operating system; `errno` names it. */
  | 'failed';

interface ErrnoRow {
  readonly reason: FileErrorReason;
  /** As the C library says it: clients match on these texts. */
  readonly text: string;
}

/** The errors of the operating system that have a reason of their own. */
const ERRNO_ROWS: Readonly<Record<string, ErrnoRow>> = {
  ENOENT: { reason: 'notFound', text: 'No such file or directory' },
  EACCES: { reason: 'denied', text: 'Permission denied' },
  EPERM: { reason: 'denied', text: 'Operation not permitted' },
  EEXIST: { reason: 'exists', text: 'File exists' },
  ENOTDIR: { reason: 'notADirectory', text: 'Not a directory' },
  EISDIR: { reason: 'isADirectory', text: 'Is a directory' },
  ENOTEMPTY: { reason: 'notEmpty', text: 'Directory not empty' },
  EFBIG: { reason: 'tooLarge', text: 'File too large' },
  ENOSPC: { reason: 'noSpace', text: 'No space left on device' },
  EDQUOT: { reason: 'noSpace', text: 'Disk quota exceeded' },
  EROFS: { reason: 'readOnly', text: 'Read-only file system' },
  ELOOP: { reason: 'linkLoop', text: 'Too many levels of symbolic links' },
  ENAMETOOLONG: { reason: 'nameTooLong', text: 'File name too long' },
  EBUSY: { reason: 'busy', text: 'Device or resource busy' },
  ETXTBSY: { reason: 'busy', text: 'Text file busy' },
  EXDEV: { reason: 'otherDevice', text: 'Invalid cross-device link' },
  EMFILE: { reason: 'noRoom', text: 'Too many open files' },
  ENFILE: { reason: 'noRoom', text: 'Too many open files in system' },
  EINVAL: { reason: 'failed', text: 'Invalid argument' },
  EIO: { reason: 'failed', text: 'Input/output error' },
  ENXIO: { reason: 'failed', text: 'No such device or address' },
};

/** An operation that failed. The message is for people; `reason` is for programs. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly reason: FileErrorReason;
  /** Name of the operating system's error, such as `ENOENT`; undefined when this server refused. */
  readonly errno: string | undefined;

  constructor(reason: FileErrorReason, message: string, options: { cause?: unknown; errno?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.errno = options.errno;
  }
}

/** The error of an errno name. Its message has the form `No such file or directory (os error 2)`. */
export function errnoError(errno: string, cause?: unknown): FileError {
  const row = ERRNO_ROWS[errno];
  const number = Object.entries(constants.errno).find(([name]) => name === errno)?.[1];
  const text = row?.text ?? (cause instanceof Error ? cause.message : errno);
  const message = number === undefined ? text : `${text} (os error ${number})`;
  return new FileError(row?.reason ?? 'failed', message, { cause, errno });
}

/** @returns errors of `node:fs` as a {@link FileError}; anything else unchanged, because it is a fault of the server */
export function asFileError(error: unknown): unknown {
  if (error instanceof FileError || !(error instanceof Error)) return error;
  return errnoOf(error) === undefined ? error : errnoError(String(errnoOf(error)), error);
}

/** The name of the operating system's error; undefined if it is another kind of error. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof FileError) return error.errno;
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Runs an operation, and turns its errors into {@link FileError}. */
export async function filing<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw asFileError(error);
  }
}
