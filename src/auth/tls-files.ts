// Owns the certificate and key files of a TLS listener and their renewal. Knows neither HTTP nor the listener.

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { CredentialFileError, type OnWarning, unreadableFile } from './secret-file.js';

/** Paths of two PEM files. */
export interface TlsFiles {
  /** `--tls-cert`: the certificate, then its chain. */
  readonly certFile: string;
  /** `--tls-key`: its private key, not encrypted. */
  readonly keyFile: string;
}

/** A certificate and its key. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** The part of `tls.Server` that is needed here. */
export interface TlsServer {
  setSecureContext(options: TlsPair): void;
}

/**
 * Milliseconds between two looks at the files. File watches would miss the swapped symbolic links by which orchestrators renew certificates. A
 * renewal comes hours before it is needed, so a few seconds are soon enough.
 */
const LOOK_INTERVAL_MS = 5_000;

/**
 * Reads a pair and checks that certificate and key belong together.
 * @throws {CredentialFileError} when a file cannot be read or the two do not fit.
 */
export function loadTlsPair(files: TlsFiles): TlsPair {
  const pair = { cert: readPem('--tls-cert', files.certFile), key: readPem('--tls-key', files.keyFile) };
  try {
    createSecureContext({ ...pair, minVersion: 'TLSv1.2' });
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unusable';
    throw new CredentialFileError(
      `--tls-cert ${files.certFile} and --tls-key ${files.keyFile} are not a usable pair: ${reason}`,
    );
  }
  return pair;
}

/** The renewal of a pair. */
export interface TlsRenewal {
  /** Looks at the files now. A changed pair takes effect with the next connection; an unusable one is reported once and ignored. */
  refresh(): void;
  /** Stops looking. */
  stop(): void;
}

/**
 * Keeps the pair of a running server up to date. Open connections keep the pair they began with.
 * @param loaded The pair that the server was started with.
 */
export function renewTlsPair(server: TlsServer, files: TlsFiles, loaded: TlsPair, onWarning: OnWarning): TlsRenewal {
  let current = loaded;
  let reported: string | undefined;

  function refresh(): void {
    try {
      const latest = loadTlsPair(files);
      reported = undefined;
      if (latest.cert.equals(current.cert) && latest.key.equals(current.key)) return;
      server.setSecureContext(latest);
      current = latest;
    } catch (error) {
      // While only one of the two files is replaced they do not fit; the next look finds the new pair.
      const reason = error instanceof CredentialFileError ? error.message : 'the renewed TLS pair was not accepted';
      if (reason !== reported) onWarning(`${reason}; the last good pair stays in force`);
      reported = reason;
    }
  }

  const timer = setInterval(refresh, LOOK_INTERVAL_MS);
  timer.unref();
  return { refresh, stop: () => clearInterval(timer) };
}

function readPem(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw unreadableFile(flag, path, code);
  }
}
