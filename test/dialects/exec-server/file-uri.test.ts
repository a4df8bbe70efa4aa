// Shows which paths `file:` URIs of the exec-server protocol name, and which URIs are refused.
import t from 'tap';
import { pathOfUri, textPathOfUri, uriOfPath } from '../../../src/dialects/exec-server/file-uri.js';
import { fc } from '../../support/property.js';

t.test('URI names the path that it encodes when it is of this machine', (t) => {
  for (const [uri, path] of [
    ['file:///', '/'],
    ['file:///a/b', '/a/b'],
    ['file:/a', '/a'],
    ['file://localhost/a', '/a'],
    ['FILE:///a', '/a'],
    ['file:///a%20b', '/a b'],
    ['file:///a/../b/./c/', '/b/c'],
    ['file:///%2e%2e/a', '/a'],
    ['file:///a//b', '/a/b'],
    ['file:///%C3%BC', '/ü'],
    ['file:///ü', '/ü'],
  ] as const) {
    t.equal(textPathOfUri(uri, 'path'), path, uri);
  }
  t.ok(pathOfUri('file:///%ff', 'path').equals(Buffer.from([0x2f, 0xff])), 'bytes that are not UTF-8');
  t.end();
});

t.test('URI is refused with the name of its field when it is not a path of this machine', (t) => {
  for (const uri of [
    '/a',
    'a',
    '',
    'http://x/a',
    'file://host/a',
    'file:///a?b',
    'file:///a#b',
    'file:///%0',
    'file:///%zz',
    'file:///%00',
    'file:a',
    'file://',
  ]) {
    t.throws(() => pathOfUri(uri, 'cwd'), { code: -32602, message: /^cwd: / }, uri);
  }
  t.throws(() => textPathOfUri('file:///%ff', 'cwd'), { code: -32602 }, 'a text cannot be made of it');
  t.end();
});

t.test('path comes back from its URI when it has bytes of any value', (t) => {
  const names = fc.array(
    fc.uint8Array({ minLength: 1, maxLength: 8 }).filter((name) => {
      const text = Buffer.from(name).toString('latin1');
      return !name.includes(0) && !name.includes(0x2f) && text !== '.' && text !== '..';
    }),
    { minLength: 1, maxLength: 4 },
  );
  const comesBack = (parts: Uint8Array[]): boolean => {
    const path = Buffer.concat(parts.flatMap((name) => [Buffer.from('/'), Buffer.from(name)]));
    return pathOfUri(uriOfPath(path), 'path').equals(path);
  };
  t.doesNotThrow(() => fc.assert(fc.property(names, comesBack)));
  t.end();
});
