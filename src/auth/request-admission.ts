// Owns what keeps foreign web pages out before any credential is looked at: origin and host of a request. Knows no framework.

import type { AuthListener } from './auth-options.js';
import { isHostAllowed } from './host.js';
import { isLoopbackIp } from './loopback.js';
import { isOriginAllowed } from './origin.js';

export interface RequestAdmissionOptions {
  readonly listener: AuthListener;
  readonly allowOrigins: readonly string[];
  readonly allowHosts: readonly string[];
}

/** As much of a request's headers as is looked at. */
export interface AdmissionHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
}

/** The checks of one listener. */
export class RequestAdmission {
  readonly #options: RequestAdmissionOptions;
  readonly #checksHost: boolean;

  constructor(options: RequestAdmissionOptions) {
    this.#options = options;
    this.#checksHost = options.listener.kind === 'ws' && isLoopbackIp(options.listener.host);
  }

  /** The body of the 403, or undefined. @param anyHost whether the path answers for every `Host` */
  refusal({ origin, host }: AdmissionHeaders, anyHost: boolean): string | undefined {
    // Any value of the header counts, and BEFORE the credential: a page must not learn whether a token is good.
    if (!isOriginAllowed(origin, this.#options.allowOrigins)) return 'origin not allowed; see --allow-origin\n';
    if (this.#checksHost && !anyHost && !isHostAllowed(host, this.#options.allowHosts)) {
      return 'host not allowed; see --allow-host\n';
    }
    return undefined;
  }
}
