// Shows where bearer tokens may stand, how they are compared and replaced, and which principal they give.

import crypto, { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { createAuthenticator } from '../../src/auth/authenticator.js';
import { type CredentialHeaders, extractBearerToken, selectSubprotocol } from '../../src/auth/bearer-token.js';
import { capabilityTokenOfDigest } from '../../src/auth/capability-token.js';
import { ANONYMOUS, jwtPrincipal, TOKEN_HOLDER, UNIX_PEER } from '../../src/auth/principal.js';
import { CredentialFileError, openSecretFile, unreadableFile } from '../../src/auth/secret-file.js';
import { bearerSubprotocol } from './bearer-subprotocol.js';

const LISTENER = { kind: 'ws', host: '127.0.0.1', port: 0 } as const;
const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

t.test('bearer token is extracted, or refused with the text of the protocol', (t) => {
  const sub = (token: string) => bearerSubprotocol(token);
  const found: [string, CredentialHeaders, string][] = [
    ['header', bearer('a.b-c_d~e+/='), 'a.b-c_d~e+/='],
    ['scheme in lower case', { authorization: 'bearer x' }, 'x'],
    ['several spaces', { authorization: 'Bearer   x  ' }, 'x'],
    ['inner space stays in the token', bearer('x y'), 'x y'],
    ['subprotocol', { 'sec-websocket-protocol': `execwire.v1, ${sub('x')}` }, 'x'],
    ['subprotocol first and alone', { 'sec-websocket-protocol': sub('x') }, 'x'],
    ['subprotocol with a token beyond ASCII', { 'sec-websocket-protocol': sub('tökén 🔑') }, 'tökén 🔑'],
    ['both and equal', { ...bearer('x'), 'sec-websocket-protocol': sub('x') }, 'x'],
  ];
  for (const [name, headers, token] of found) t.same(extractBearerToken(headers), { ok: true, token }, name);

  const missing = 'missing websocket bearer token';
  const header = 'invalid authorization header';
  const invalid = 'invalid websocket bearer token';
  const refused: [string, CredentialHeaders, string][] = [
    ['nothing', {}, missing],
    ['subprotocol without token', { 'sec-websocket-protocol': 'execwire.v1' }, missing],
    ['prefix is case-sensitive', { 'sec-websocket-protocol': 'Execwire.Bearer.eA' }, missing],
    ['empty header', { authorization: '' }, header],
    ['scheme only', { authorization: 'Bearer' }, header],
    ['scheme and spaces only', { authorization: 'Bearer   ' }, header],
    ['other scheme', { authorization: 'Basic eDp4' }, header],
    ['tab', { authorization: 'Bearer\tx' }, header],
    ['token without scheme', { authorization: 'x' }, header],
    ['beyond ASCII', { authorization: 'Bearer té' }, header],
    ['control character', { authorization: 'Bearer x\u0001' }, header],
    ['both and different', { ...bearer('x'), 'sec-websocket-protocol': sub('y') }, header],
    ['two different subprotocols', { 'sec-websocket-protocol': `${sub('x')},${sub('y')}` }, header],
    ['bad header beside a good subprotocol', { authorization: 'Basic x', 'sec-websocket-protocol': sub('x') }, header],
    ['subprotocol without a value', { 'sec-websocket-protocol': 'execwire.bearer.' }, invalid],
    ['subprotocol with padding', { 'sec-websocket-protocol': 'execwire.bearer.eA==' }, invalid],
    ['subprotocol in standard base64', { 'sec-websocket-protocol': 'execwire.bearer.Pz8/' }, invalid],
    ['subprotocol with stray bits', { 'sec-websocket-protocol': 'execwire.bearer.eB' }, invalid],
    ['subprotocol that is no UTF-8', { 'sec-websocket-protocol': 'execwire.bearer._w' }, invalid],
  ];
  for (const [name, headers, message] of refused) t.same(extractBearerToken(headers), { ok: false, message }, name);
  t.end();
});

t.test('upgrade never echoes the subprotocol with the token when a token is offered', (t) => {
  const token = bearerSubprotocol('secret');
  t.equal(selectSubprotocol(new Set([token, 'execwire.v1'])), 'execwire.v1');
  t.equal(selectSubprotocol(new Set([token])), false);
  t.equal(selectSubprotocol(new Set(['execwire.v2', 'EXECWIRE.V1'])), false);
  t.equal(selectSubprotocol([]), false);
  t.end();
});

t.test('capability token is accepted when it is right, from a file and from its digest', async (t) => {
  const tokenFile = join(t.testdir({ token: '\ufeff \n right-token \r\n\n' }), 'token');
  const sources = [
    { tokenFile },
    { tokenSha256: sha256Hex('right-token') },
    { tokenSha256: sha256Hex('right-token').toUpperCase() },
  ];
  for (const source of sources) {
    const options = { mode: 'capability-token', ...source } as const;
    const authenticator = await createAuthenticator(options, LISTENER, t.fail);
    const good = { ok: true, principal: { kind: 'token' } };
    t.same(await authenticator.authenticate(bearer('right-token')), good);
    t.same(await authenticator.authenticate({ 'sec-websocket-protocol': bearerSubprotocol('right-token') }), good);
    for (const wrong of ['right-toke', 'right-token2', 'Right-token', 'x', 'right-token\u0000']) {
      const result = await authenticator.authenticate({ 'sec-websocket-protocol': bearerSubprotocol(wrong) });
      t.same(result, { ok: false, status: 401, message: 'invalid websocket bearer token' }, wrong);
    }
    t.same(await authenticator.authenticate({}), { ok: false, status: 401, message: 'missing websocket bearer token' });
  }
});

t.test('digest of a token covers the white space around it when the digest is given', async (t) => {
  const options = { mode: 'capability-token', tokenSha256: sha256Hex('x\n') } as const;
  const authenticator = await createAuthenticator(options, LISTENER, t.fail);
  t.equal((await authenticator.authenticate(bearer('x'))).ok, false);
  t.equal((await authenticator.authenticate({ 'sec-websocket-protocol': bearerSubprotocol('x\n') })).ok, true);
});

t.test(
  'capability token is compared as digests of one length with timingSafeEqual, whatever is presented',
  async (t) => {
    const lengths: number[][] = [];
    const { timingSafeEqual } = crypto;
    // The code under test imports the function by its name. At the end this runs after the interception is undone.
    t.teardown(syncBuiltinESMExports);
    t.intercept(crypto, 'timingSafeEqual', {
      value(left: Buffer, right: Buffer) {
        lengths.push([left.length, right.length]);
        return timingSafeEqual(left, right);
      },
    });
    syncBuiltinESMExports();
    const token = capabilityTokenOfDigest(sha256Hex('right'));
    t.equal(token.matches('right'), true);
    t.equal(token.matches(''), false);
    t.equal(token.matches('x'.repeat(100_000)), false);
    t.same(lengths, [
      [32, 32],
      [32, 32],
      [32, 32],
    ]);
  },
);

t.test('token is replaced without a restart when its file is written, renamed or linked anew', async (t) => {
  const dir = t.testdir({ token: 'token-0', a: { token: 'token-1' }, b: { token: 'token-2' } });
  const tokenFile = join(dir, 'token');
  const options = { mode: 'capability-token', tokenFile } as const;
  const authenticator = await createAuthenticator(options, LISTENER, t.fail);
  const opens = async (token: string) => (await authenticator.authenticate(bearer(token))).ok;
  t.equal(await opens('token-0'), true);

  // Same length, same tick of the clock: only the content differs.
  for (let round = 1; round <= 20; round += 1) {
    writeFileSync(tokenFile, `token-${round % 10}`);
    t.equal(await opens(`token-${round % 10}`), true, `in place ${round}`);
    t.equal(await opens(`token-${(round - 1) % 10}`), false, `old one in round ${round}`);
  }
  writeFileSync(join(dir, 'next'), 'renamed');
  renameSync(join(dir, 'next'), tokenFile);
  t.equal(await opens('renamed'), true);
  for (const target of ['a', 'b']) {
    rmSync(tokenFile);
    symlinkSync(join(dir, target, 'token'), tokenFile);
    t.equal(await opens(target === 'a' ? 'token-1' : 'token-2'), true, `symbolic link to ${target}`);
  }
});

t.test('token file keeps its last good token and warns once when it is not usable for a while', async (t) => {
  const dir = t.testdir({ token: 'hunter2' });
  const tokenFile = join(dir, 'token');
  const warnings: string[] = [];
  const options = { mode: 'capability-token', tokenFile } as const;
  const authenticator = await createAuthenticator(options, LISTENER, (message) => warnings.push(message));
  const opens = async (token: string) => (await authenticator.authenticate(bearer(token))).ok;

  const breakages: [string, () => void, RegExp][] = [
    ['empty', () => writeFileSync(tokenFile, ' \n'), /must not be empty; the last good contents stay in force$/],
    ['gone', () => rmSync(tokenFile), /failed to read --ws-token-file .*: ENOENT;/],
    ['directory', () => mkdirSync(tokenFile), /failed to read .*: not a regular file;/],
  ];
  for (const [name, breakFile, expected] of breakages) {
    breakFile();
    t.equal(await opens('hunter2'), true, `${name}: last good token`);
    t.equal(await opens(''), false, `${name}: the empty token is not accepted`);
    t.equal(await opens('x'), false);
    t.equal(warnings.length, 1, `${name}: one warning for several requests`);
    t.match(warnings[0], expected);
    t.notMatch(warnings[0], /hunter2/);
    warnings.length = 0;
  }
  rmSync(tokenFile, { recursive: true });
  writeFileSync(tokenFile, 'new-token');
  t.equal(await opens('hunter2'), false);
  t.equal(await opens('new-token'), true);
  rmSync(tokenFile);
  t.equal(await opens('new-token'), true);
  t.equal(warnings.length, 1, 'a second breakage is reported again');
});

t.test('credential file is refused at the start when it cannot be used', async (t) => {
  const dir = t.testdir({ empty: ' \n', big: 'x'.repeat(1024 * 1024 + 1), directory: {} });
  const cases: [string, RegExp][] = [
    [join(dir, 'none'), /^failed to read --ws-token-file .*none: ENOENT$/],
    [join(dir, 'directory'), /not a regular file$/],
    [join(dir, 'big'), /too large$/],
    [join(dir, 'empty'), /empty must not be empty$/],
    ['token', /^--ws-token-file must be an absolute path, got token$/],
  ];
  for (const [tokenFile, message] of cases) {
    const options = { mode: 'capability-token', tokenFile } as const;
    await t.rejects(createAuthenticator(options, LISTENER, t.fail), { name: 'CredentialFileError', message });
  }
});

t.test('error of a file that may not be read names the user who has to', (t) => {
  const { message } = unreadableFile('--ws-token-file', '/run/secrets/token', 'EACCES');
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  t.equal(
    message,
    `failed to read --ws-token-file /run/secrets/token: EACCES: uid ${uid}, gid ${gid} must be able to read it`,
  );
  t.end();
});

t.test('secret file is parsed again only when its contents change', (t) => {
  const path = join(t.testdir({ file: '1' }), 'file');
  let parsed = 0;
  const parse = (contents: Buffer) => {
    parsed += 1;
    if (contents.toString() === 'bad') throw new CredentialFileError('bad contents');
    return contents.toString();
  };
  const file = openSecretFile({ flag: '--file', path, parse, onWarning: t.fail });
  t.equal(file.current(), '1');
  t.equal(file.current(), '1');
  t.equal(parsed, 1);
  writeFileSync(path, '2');
  t.equal(file.current(), '2');
  t.equal(file.current(), '2');
  t.equal(parsed, 2);
  t.end();
});

t.test('listener without authentication lets every client in as a principal of its kind', async (t) => {
  const authenticate = async (options: object, listener: Parameters<typeof createAuthenticator>[1]) =>
    (await createAuthenticator(options, listener, t.fail)).authenticate(bearer('ignored'));
  t.same(await authenticate({}, LISTENER), { ok: true, principal: ANONYMOUS });
  t.same(await authenticate({ mode: 'none' }, LISTENER), { ok: true, principal: ANONYMOUS });
  t.same(await authenticate({}, { kind: 'unix' }), { ok: true, principal: UNIX_PEER });
  const guarded = { mode: 'capability-token', tokenSha256: sha256Hex('x') };
  t.match(
    await authenticate(guarded, { kind: 'unix' }),
    { ok: false, status: 401 },
    'a mode holds for a Unix socket, too',
  );
});

t.test('principal is frozen and holds no credential', (t) => {
  const claims = { sub: 'alice', scope: 'all' };
  const principal = jwtPrincipal(claims, 5);
  t.same(principal, { kind: 'jwt', subject: 'alice', claims, expiresAtMs: 5 });
  for (const value of [principal, principal.claims, ANONYMOUS, TOKEN_HOLDER, UNIX_PEER]) t.ok(Object.isFrozen(value));
  t.notOk('subject' in jwtPrincipal({ sub: 7 }, 5), 'a subject that is no text is left out');
  t.end();
});
