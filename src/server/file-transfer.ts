/** The parts of an answer about a file that HTTP defines: entity tags, conditions, ranges, and the status of each failure. Knows no Fastify and no socket. */
import type { BigIntStats } from 'node:fs';
import { FileError, type FileErrorReason } from '../files/file-error.js';

/** A refusal with its status and the word for programs. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

const STATUSES: Readonly<Record<FileErrorReason, number>> = {
  notFound: 404,
  denied: 403,
  outsideRoot: 403,
  readOnly: 403,
  exists: 409,
  notADirectory: 409,
  isADirectory: 409,
  notAFile: 409,
  notEmpty: 409,
  linkLoop: 409,
  busy: 409,
  otherDevice: 409,
  unknownHandle: 409,
  handleExists: 409,
  invalid: 400,
  nameTooLong: 400,
  tooLarge: 413,
  noSpace: 507,
  noRoom: 503,
  failed: 500,
};

/** @returns the refusal of an error; undefined if the error is a fault of the server */
export function refusalOf(error: unknown): HttpRefusal | undefined {
  if (error instanceof HttpRefusal) return error;
  return error instanceof FileError ? new HttpRefusal(STATUSES[error.reason], error.reason, error.message) : undefined;
}

/** Names one content of one file: it changes with every write. */
export function entityTag({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `"${[dev, ino, size, mtimeNs].map((part) => part.toString(36)).join('-')}"`;
}

/** The headers that make a request depend on what is there. */
export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** @throws {HttpRefusal} 412 @param tag of what is there; undefined if nothing is */
export function checkConditions({ ifMatch, ifNoneMatch }: Conditions, tag: string | undefined): void {
  if (ifMatch !== undefined && !names(ifMatch, tag)) {
    throw new HttpRefusal(412, 'preconditionFailed', 'the file is not the one of If-Match');
  }
  if (ifNoneMatch !== undefined && names(ifNoneMatch, tag)) {
    throw new HttpRefusal(412, 'preconditionFailed', 'there is a file that If-None-Match excludes');
  }
}

/** Whether a list of tags, or `*`, names the tag. A weak tag counts as its strong one, which no other file has. */
export function names(list: string, tag: string | undefined): boolean {
  if (tag === undefined) return false;
  return list.split(',').some((item) => item.trim() === '*' || item.trim().replace(/^W\//, '') === tag);
}

/** First and last byte, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

const SINGLE_RANGE = /^bytes=(\d*)-(\d*)$/;

/**
 * The part of a file that a `Range` header asks for; undefined for the whole of it, as for several ranges and for units that are not bytes.
 * @throws {HttpRefusal} 416 when nothing of the file is in the range
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | undefined {
  const [, from = '', to = ''] = SINGLE_RANGE.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (first >= size || (from === '' && Number(to) === 0)) {
    throw new HttpRefusal(416, 'rangeNotSatisfiable', `the file has ${size} bytes`);
  }
  return { first, last };
}
