// Shows which signed tokens (JWT) are accepted, by signature, algorithm and claims, and how keys are replaced. Knows no upgrade.

import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAuthenticator } from '../../src/auth/authenticator.js';
import { checkClaims } from '../../src/auth/jwt-claims.js';
import { createSignedBearerToken, type KeySource } from '../../src/auth/signed-bearer-token.js';

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;
const SECRET = 'a shared secret of more than thirty-two bytes';
const RULES = { issuer: 'https://issuer.example', audience: 'execwire', clockSkewSeconds: 30 };
const CLAIMS = { iss: RULES.issuer, aud: RULES.audience, exp: NOW + 60, sub: 'alice' };

const TEXTS = {
  invalid: 'invalid websocket jwt',
  expired: 'expired websocket jwt',
  early: 'websocket jwt is not valid yet',
  issuer: 'websocket jwt issuer mismatch',
  audience: 'websocket jwt audience mismatch',
};

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwk = (key: KeyObject, extra: object = {}) => ({ ...key.export({ format: 'jwk' }), ...extra });
const keySet = (...keys: object[]) => JSON.stringify({ keys });

function hmacToken(
  claims: unknown,
  secret: string | Buffer = SECRET,
  header: object = { alg: 'HS256', typ: 'JWT' },
): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function signedToken(claims: unknown, key: KeyObject, header: { alg: string; kid?: string }): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const hash = header.alg.startsWith('Ed') ? null : 'sha256';
  const signature = sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

function verifier(t: Test, kind: KeySource['kind'], contents: string, rules = RULES) {
  const path = join(t.testdir({ keys: contents }), 'keys');
  return createSignedBearerToken({ kind, path }, rules, (message) => t.fail(message));
}

t.test('signed token with a shared secret is accepted, or refused with the text of the protocol', async (t) => {
  const token = await verifier(t, 'shared-secret', `${SECRET}\n`);
  const good = hmacToken(CLAIMS);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const unsigned = (alg: string) => `${encode({ alg })}.${payload}.`;
  const { exp, ...withoutExp } = CLAIMS;
  const cases: [string, string, string | undefined][] = [
    ['good', good, undefined],
    ['audience among others', hmacToken({ ...CLAIMS, aud: ['x', 'execwire'] }), undefined],
    ['header without typ', hmacToken(CLAIMS, SECRET, { alg: 'HS256' }), undefined],
    ['unknown claims', hmacToken({ ...CLAIMS, __proto__: 1, x: [1] }), undefined],
    ['alg none', unsigned('none'), TEXTS.invalid],
    ['alg None', unsigned('None'), TEXTS.invalid],
    ['alg none with the old signature', `${encode({ alg: 'none' })}.${payload}.${signature}`, TEXTS.invalid],
    ['no alg', hmacToken(CLAIMS, SECRET, { typ: 'JWT' }), TEXTS.invalid],
    ['HS512 in the header', hmacToken(CLAIMS, SECRET, { alg: 'HS512' }), TEXTS.invalid],
    ['RS256 by a foreign key', signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256' }), TEXTS.invalid],
    ['key inside the token', hmacToken(CLAIMS, 'x', { alg: 'HS256', jwk: { kty: 'oct', k: 'eA' } }), TEXTS.invalid],
    ['critical extension', hmacToken(CLAIMS, SECRET, { alg: 'HS256', crit: ['x'], x: 1 }), TEXTS.invalid],
    ['wrong secret', hmacToken(CLAIMS, `${SECRET}.`), TEXTS.invalid],
    ['empty secret', hmacToken(CLAIMS, ''), TEXTS.invalid],
    ['cut signature', good.slice(0, -2), TEXTS.invalid],
    ['no signature', `${header}.${payload}.`, TEXTS.invalid],
    ['changed payload', `${header}.${encode({ ...CLAIMS, sub: 'root' })}.${signature}`, TEXTS.invalid],
    ['two parts', `${header}.${payload}`, TEXTS.invalid],
    ['four parts', `${good}.x`, TEXTS.invalid],
    ['no token at all', 'abc', TEXTS.invalid],
    ['bad base64 in the payload', `${header}.%%%.${signature}`, TEXTS.invalid],
    ['bad base64 in the signature', `${header}.${payload}.${signature.slice(0, -1)}!`, TEXTS.invalid],
    ['header that is no JSON', `${Buffer.from('{').toString('base64url')}.${payload}.${signature}`, TEXTS.invalid],
    ['claims that are an array', hmacToken([CLAIMS]), TEXTS.invalid],
    ['claims that are null', hmacToken(null), TEXTS.invalid],
    ['no exp', hmacToken(withoutExp), TEXTS.invalid],
    ['exp as text', hmacToken({ ...CLAIMS, exp: String(exp) }), TEXTS.invalid],
    ['expired', hmacToken({ ...CLAIMS, exp: NOW - 60 }), TEXTS.expired],
    ['not yet valid', hmacToken({ ...CLAIMS, nbf: NOW + 50 }), TEXTS.early],
    ['other issuer', hmacToken({ ...CLAIMS, iss: 'x' }), TEXTS.issuer],
    ['other audience', hmacToken({ ...CLAIMS, aud: 'x' }), TEXTS.audience],
    ['expired with a bad signature', hmacToken({ ...CLAIMS, exp: NOW - 60 }, 'x'), TEXTS.invalid],
  ];
  for (const [name, text, message] of cases) {
    const verdict = await token.verify(text, NOW_MS);
    if (message === undefined) t.match(verdict, { ok: true, principal: { kind: 'jwt', subject: 'alice' } }, name);
    else t.same(verdict, { ok: false, message }, name);
  }
});

t.test('claims are checked in the order exp, nbf, iss, aud and to the second of the skew', (t) => {
  const check = (changes: object, rules: object = {}, nowMs = NOW_MS) => {
    const verdict = checkClaims({ ...CLAIMS, ...changes }, { ...RULES, ...rules }, nowMs);
    return verdict.ok ? verdict.expiresAtMs : verdict.message;
  };
  const inForce = (exp: number, skew = 30) => (exp + skew) * 1000;
  t.equal(check({}), inForce(NOW + 60), 'the skew is added to the end');
  t.equal(check({ exp: NOW - 29 }), inForce(NOW - 29));
  t.equal(check({ exp: NOW - 30 }), TEXTS.expired, 'expired exactly at its end');
  t.equal(check({ exp: NOW - 30 }, {}, NOW_MS - 1), inForce(NOW - 30), 'in force a millisecond before');
  t.equal(check({ exp: NOW }, { clockSkewSeconds: 0 }), TEXTS.expired);
  t.equal(check({ exp: NOW + 1 }, { clockSkewSeconds: 0 }), inForce(NOW + 1, 0));
  t.equal(check({ exp: NOW + 0.5 }), inForce(NOW + 0.5), 'fractions of a second are a NumericDate too');
  t.equal(check({ nbf: NOW + 30 }), inForce(NOW + 60), 'in force exactly from its beginning on');
  t.equal(check({ nbf: NOW + 31 }), TEXTS.early);
  t.equal(check({ nbf: NOW + 1 }, { clockSkewSeconds: 0 }), TEXTS.early);
  t.equal(check({ exp: NOW - 60, nbf: NOW + 60, iss: 'x', aud: 'x' }), TEXTS.expired);
  t.equal(check({ nbf: NOW + 60, iss: 'x', aud: 'x' }), TEXTS.early);
  t.equal(check({ iss: 'x', aud: 'x' }), TEXTS.issuer);
  t.equal(check({ iss: undefined }), TEXTS.issuer);
  t.equal(check({ iss: `${RULES.issuer}/` }), TEXTS.issuer);
  t.equal(check({ aud: undefined }), TEXTS.audience);
  t.equal(check({ aud: [] }), TEXTS.audience);
  t.equal(
    check({ iss: 'x', aud: ['y'] }, { issuer: undefined, audience: undefined }),
    inForce(NOW + 60),
    'any issuer and audience when no rule names one',
  );
  for (const exp of [undefined, null, 'x', true, Number.NaN, Number.POSITIVE_INFINITY, 1e300, [NOW + 60]]) {
    t.equal(check({ exp }), TEXTS.invalid, `exp ${String(exp)}`);
  }
  for (const nbf of [null, '0', {}, Number.NaN]) t.equal(check({ nbf }), TEXTS.invalid, `nbf ${String(nbf)}`);
  for (const iss of [null, 1, [RULES.issuer]]) t.equal(check({ iss }), TEXTS.invalid, `iss ${String(iss)}`);
  for (const aud of [null, 1, [1], {}]) t.equal(check({ aud }), TEXTS.invalid, `aud ${String(aud)}`);
  t.end();
});

t.test('signed token is accepted when a public key of the key set and its algorithm fit', async (t) => {
  const contents = keySet(
    jwk(rsa.publicKey, { kid: 'rsa', alg: 'RS256', use: 'sig' }),
    jwk(ec.publicKey, { kid: 'ec' }),
    jwk(ed.publicKey, { kid: 'ed' }),
  );
  const token = await verifier(t, 'jwks', contents);
  const cases: [string, string, boolean][] = [
    ['RS256', signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256', kid: 'rsa' }), true],
    ['RS256 without kid', signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256' }), true],
    ['ES256', signedToken(CLAIMS, ec.privateKey, { alg: 'ES256', kid: 'ec' }), true],
    ['EdDSA', signedToken(CLAIMS, ed.privateKey, { alg: 'EdDSA', kid: 'ed' }), true],
    ['kid of another key', signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256', kid: 'ec' }), false],
    ['unknown kid', signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256', kid: 'x' }), false],
    ['key outside the set', signedToken(CLAIMS, otherRsa.privateKey, { alg: 'RS256', kid: 'rsa' }), false],
    ['algorithm that is not in the list', signedToken(CLAIMS, rsa.privateKey, { alg: 'RS512', kid: 'rsa' }), false],
    ['alg none', `${encode({ alg: 'none', kid: 'rsa' })}.${encode(CLAIMS)}.`, false],
  ];
  for (const [name, text, ok] of cases) t.equal((await token.verify(text, NOW_MS)).ok, ok, name);
  const wrongIssuer = signedToken({ ...CLAIMS, iss: 'x' }, ec.privateKey, { alg: 'ES256', kid: 'ec' });
  t.same(await token.verify(wrongIssuer, NOW_MS), { ok: false, message: TEXTS.issuer });
});

t.test('signed token is refused when a public key was used as the shared secret (key confusion)', async (t) => {
  const publicJwk = jwk(rsa.publicKey, { kid: 'rsa' });
  const token = await verifier(t, 'jwks', keySet(publicJwk));
  const forms = [
    rsa.publicKey.export({ type: 'spki', format: 'pem' }),
    rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }),
    rsa.publicKey.export({ type: 'spki', format: 'der' }),
    JSON.stringify(publicJwk),
    keySet(publicJwk),
    String(publicJwk.n),
  ];
  for (const secret of forms) {
    for (const header of [{ alg: 'HS256', kid: 'rsa' }, { alg: 'HS256' }, { alg: 'RS256', kid: 'rsa' }]) {
      t.same(await token.verify(hmacToken(CLAIMS, secret, header), NOW_MS), { ok: false, message: TEXTS.invalid });
    }
  }
  const embedded = { alg: 'RS256', jwk: jwk(otherRsa.publicKey), kid: 'rsa' };
  t.equal(
    (await token.verify(signedToken(CLAIMS, otherRsa.privateKey, embedded), NOW_MS)).ok,
    false,
    'key in the token',
  );
});

t.test('signed token without kid is tried on every key that fits when several do', async (t) => {
  const token = await verifier(t, 'jwks', keySet(jwk(otherRsa.publicKey), jwk(rsa.publicKey)));
  const third = generateKeyPairSync('rsa', { modulusLength: 2048 });
  t.equal((await token.verify(signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256' }), NOW_MS)).ok, true);
  t.equal((await token.verify(signedToken(CLAIMS, otherRsa.privateKey, { alg: 'RS256' }), NOW_MS)).ok, true);
  t.equal((await token.verify(signedToken(CLAIMS, third.privateKey, { alg: 'RS256' }), NOW_MS)).ok, false);
});

t.test('signed token without kid finds its key when a key before it cannot be used', async (t) => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const broken = { kty: 'RSA', n: 'AQAB', e: 'AQAB' };
  for (const unusable of [jwk(short.publicKey), broken]) {
    const keys = [unusable, jwk(otherRsa.publicKey), jwk(rsa.publicKey)];
    for (const set of [keys, keys.toReversed()]) {
      const token = await verifier(t, 'jwks', keySet(...set));
      const good = signedToken(CLAIMS, rsa.privateKey, { alg: 'RS256' });
      t.match(await token.verify(good, NOW_MS), { ok: true }, 'the good key is found');
      const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const bad = signedToken(CLAIMS, stranger.privateKey, { alg: 'RS256' });
      t.same(await token.verify(bad, NOW_MS), { ok: false, message: TEXTS.invalid });
    }
  }
});

t.test('key file is refused at the start when it cannot be used', async (t) => {
  const cases: [KeySource['kind'], string, RegExp][] = [
    ['shared-secret', 'x'.repeat(31), /^signed websocket bearer secret .* must be at least 32 bytes$/],
    ['shared-secret', `  ${'x'.repeat(31)}  \n`, /must be at least 32 bytes$/],
    ['jwks', 'no json', /^--ws-jwks-file .* is not a JSON Web Key Set$/],
    ['jwks', '{"keys":[1]}', /is not a JSON Web Key Set$/],
    ['jwks', JSON.stringify(jwk(rsa.publicKey)), /is not a JSON Web Key Set$/],
    ['jwks', '{"keys":[]}', /holds no keys$/],
    ['jwks', keySet({ kty: 'oct', k: 'c2VjcmV0' }), /none of RSA, EC and OKP$/],
    ['jwks', keySet(jwk(ec.publicKey), jwk(ec.privateKey)), /must hold public keys only$/],
  ];
  for (const [kind, contents, message] of cases) {
    await t.rejects(verifier(t, kind, contents), { name: 'CredentialFileError', message });
  }
  await t.resolves(verifier(t, 'shared-secret', 'é'.repeat(16)), 'bytes are counted, not characters');
});

t.test(
  'keys are replaced without a restart when their file is, and the last good ones stay while it is broken',
  async (t) => {
    const warnings: string[] = [];
    const path = join(t.testdir({ keys: keySet(jwk(rsa.publicKey)) }), 'keys');
    const token = await createSignedBearerToken({ kind: 'jwks', path }, RULES, (message) => warnings.push(message));
    const opens = async (key: KeyObject) => (await token.verify(signedToken(CLAIMS, key, { alg: 'RS256' }), NOW_MS)).ok;
    t.same([await opens(rsa.privateKey), await opens(otherRsa.privateKey)], [true, false]);
    writeFileSync(path, keySet(jwk(otherRsa.publicKey)));
    t.same([await opens(rsa.privateKey), await opens(otherRsa.privateKey)], [false, true]);
    t.same(warnings, []);
    writeFileSync(path, JSON.stringify(jwk(rsa.privateKey)));
    t.same([await opens(rsa.privateKey), await opens(otherRsa.privateKey)], [false, true]);
    t.equal(warnings.length, 1);
    t.notMatch(warnings[0], String(jwk(rsa.privateKey).d), 'no contents in the warning');
    rmSync(path);
    t.equal(await opens(otherRsa.privateKey), true);
    t.equal(warnings.length, 2);

    const secretPath = join(t.testdir({ secret: SECRET }), 'secret');
    const hmac = await createSignedBearerToken({ kind: 'shared-secret', path: secretPath }, RULES, t.fail);
    writeFileSync(secretPath, SECRET.toUpperCase());
    t.equal((await hmac.verify(hmacToken(CLAIMS), NOW_MS)).ok, false);
    t.equal((await hmac.verify(hmacToken(CLAIMS, SECRET.toUpperCase()), NOW_MS)).ok, true);
  },
);

t.test('authenticator yields subject, claims and expiry of a signed token, from header and subprotocol', async (t) => {
  const sharedSecretFile = join(t.testdir({ secret: SECRET }), 'secret');
  const options = { mode: 'signed-bearer-token', sharedSecretFile, audience: 'execwire' } as const;
  const authenticator = await createAuthenticator(options, { kind: 'ws', host: '127.0.0.1', port: 0 }, t.fail);
  const exp = Math.floor(Date.now() / 1000) + 60;
  const claims = { sub: 'alice', aud: 'execwire', exp, scope: 'run' };
  const token = hmacToken(claims);
  const principal = { kind: 'jwt', subject: 'alice', claims, expiresAtMs: (exp + 30) * 1000 };
  t.same(await authenticator.authenticate({ authorization: `Bearer ${token}` }), { ok: true, principal });
  const offered = `execwire.v1, execwire.bearer.${Buffer.from(token).toString('base64url')}`;
  t.same(await authenticator.authenticate({ 'sec-websocket-protocol': offered }), { ok: true, principal });
  t.same(await authenticator.authenticate({}), { ok: false, status: 401, message: 'missing websocket bearer token' });
  t.same(await authenticator.authenticate({ authorization: 'Bearer x' }), {
    ok: false,
    status: 401,
    message: TEXTS.invalid,
  });

  const jwksFile = join(t.testdir({ keys: keySet(jwk(createPublicKey(ec.privateKey))) }), 'keys');
  const byKeySet = await createAuthenticator(
    { mode: 'signed-bearer-token', jwksFile, maxClockSkewSeconds: 0 },
    { kind: 'unix' },
    t.fail,
  );
  const signed = signedToken(claims, ec.privateKey, { alg: 'ES256' });
  t.match(await byKeySet.authenticate({ authorization: `Bearer ${signed}` }), {
    principal: { expiresAtMs: exp * 1000 },
  });
});
