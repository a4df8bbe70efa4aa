/** What an address of a link shows to people, and whether it may deceive them. Opens nothing. */

/** The address as the browser will have it: names in other scripts, which can look like known ones, as `xn--…`. */
export function shownAddress(uri: string): string {
  return URL.canParse(uri) ? new URL(uri).href : uri;
}

/** Whether what looks like a known name is that of a user, or one in another script. */
export function looksLikeAnother(uri: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { username, hostname } = new URL(uri);
  return username !== '' || hostname.includes('xn--');
}
