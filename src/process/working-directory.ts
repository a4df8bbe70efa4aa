/** Decides where a child starts. It looks at no file: the server's own directory may have no valid name, or may be gone. */
import { isAbsolute, join, normalize } from 'node:path';

/**
 * @param byDefault directory of commands that name none; undefined for the server's own directory
 * @returns a path, absolute or relative to the server's own directory; undefined for that directory itself
 */
export function workingDirectory(byDefault: string | undefined, requested: string | undefined): string | undefined {
  if (requested === undefined || requested === '') return byDefault;
  return byDefault === undefined || isAbsolute(requested) ? normalize(requested) : join(byDefault, requested);
}
