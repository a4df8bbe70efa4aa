// Owns which web origins may speak to the server. Knows no request.

/** An origin as browsers write it: scheme, host, port if it is not the scheme's own. No path, no credentials, no wildcard. */
const SERIALIZED_ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*,\\]+$/;

/**
 * Whether a request with this `Origin` may pass. A request without the header comes from no web page, and may. A request with it is refused unless
 * exactly this origin was allowed. `null` (sandboxed frames, files) stands for many pages and must be allowed explicitly, too.
 * @param originHeader The header as received; undefined when there is none.
 * @param allowOrigins The values of `--allow-origin`.
 */
export function isOriginAllowed(originHeader: string | undefined, allowOrigins: readonly string[]): boolean {
  return originHeader === undefined || allowOrigins.includes(originHeader);
}

/**
 * Whether a page comes from the very address that it speaks to: its `Origin` names the host and port of the `Host`. A proxy may end TLS in front of
 * the server, so the scheme is not compared.
 * @param host The header as received.
 */
export function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !SERIALIZED_ORIGIN.test(origin) || !URL.canParse(origin)) return false;
  const own = `${new URL(origin).protocol}//${host}`;
  // Both are read in the same way, so that the port of the scheme itself may be there or not.
  return URL.canParse(own) && new URL(own).host === new URL(origin).host;
}

/**
 * What is wrong with a value of `--allow-origin`; undefined if nothing is. A value that no browser ever sends would never match, so the operator
 * should learn of it at the start.
 */
export function problemOfAllowedOrigin(value: string): string | undefined {
  if (value === 'null') return undefined;
  const expected = 'expected an exact origin such as https://app.example.com, or null';
  if (!SERIALIZED_ORIGIN.test(value)) return `invalid --allow-origin ${value}; ${expected}`;
  const normalized = URL.canParse(value) ? new URL(value).origin : undefined;
  if (normalized === undefined) return `invalid --allow-origin ${value}; ${expected}`;
  // Schemes that the URL standard does not know (browser extensions) have no normal form to compare with.
  if (normalized === 'null' || normalized === value) return undefined;
  return `invalid --allow-origin ${value}; browsers send ${normalized}`;
}
