// Keeps foreign web pages out before any credential is checked, by origin and host of a request. Knows no framework.

import type { AuthListener } from './auth-options.js';
import { isHostAllowed } from './host.js';
import { isLoopbackIp } from './loopback.js';
import { isOriginAllowed, isSameOrigin } from './origin.js';

export interface RequestAdmissionOptions {
  readonly listener: AuthListener;
  readonly allowOrigins: readonly string[];
  readonly allowHosts: readonly string[];
  /** Whether the server has pages of its own, which may speak to it. */
  readonly hasPages: boolean;
  /** Whether every upgrade needs a credential. */
  readonly needsCredential: boolean;
}

/** The headers that are checked. */
export interface AdmissionHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
}

/** Why a request may not pass. */
export interface AdmissionRefusal {
  /** The header that is not allowed. */
  readonly header: 'origin' | 'host';
  /** The body of the 403. */
  readonly text: string;
}

/** The checks of one listener. */
export class RequestAdmission {
  readonly #options: RequestAdmissionOptions;
  readonly #checksHost: boolean;
  readonly #allowsOwnPages: boolean;

  constructor(options: RequestAdmissionOptions) {
    this.#options = options;
    this.#checksHost = options.listener.kind === 'ws' && isLoopbackIp(options.listener.host);
    // A foreign page whose name was made to point here is of the same origin, too. It is kept out by its name, or has no credential.
    this.#allowsOwnPages = options.hasPages && (this.#checksHost || options.needsCredential);
  }

  /** Whether the server has pages that it would refuse, because it cannot tell them from foreign ones. */
  get refusesOwnPages(): boolean {
    return this.#options.hasPages && !this.#allowsOwnPages && this.#options.allowOrigins.length === 0;
  }

  /** Undefined if the request may pass. @param anyHost whether the path answers for every `Host` */
  refusal({ origin, host }: AdmissionHeaders, anyHost: boolean): AdmissionRefusal | undefined {
    // BEFORE the credential, because a page must not learn whether a token is valid. Any value of the header counts.
    const isOwn = this.#allowsOwnPages && origin !== undefined && isSameOrigin(origin, host);
    if (!isOwn && !isOriginAllowed(origin, this.#options.allowOrigins)) {
      return { header: 'origin', text: 'origin not allowed; see --allow-origin\n' };
    }
    if (this.#checksHost && !anyHost && !isHostAllowed(host, this.#options.allowHosts)) {
      return { header: 'host', text: 'host not allowed; see --allow-host\n' };
    }
    return undefined;
  }
}
