// The constant that the program prints is the version of the package.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { version } from '../src/version.js';

t.test('version is that of package.json', (t) => {
  const { version: packaged } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  t.equal(version, packaged);
  t.end();
});
