// Shows which origins and hosts are admitted, which addresses are loopback, and which flags let a server start. Starts no server.
// Long because each flag and each header is a case.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import {
  type AuthListener,
  type AuthOptions,
  authStartWarnings,
  validateAuthOptions,
} from '../../src/auth/auth-options.js';
import { isHostAllowed, problemOfAllowedHost } from '../../src/auth/host.js';
import { isLoopbackIp } from '../../src/auth/loopback.js';
import { isOriginAllowed, problemOfAllowedOrigin } from '../../src/auth/origin.js';
import { RequestAdmission } from '../../src/auth/request-admission.js';

t.test('origin is refused unless exactly this origin was allowed', (t) => {
  const allowed = ['https://app.example.com', 'http://localhost:3000'];
  const cases: [string | undefined, readonly string[], boolean][] = [
    [undefined, [], true],
    [undefined, allowed, true],
    ['https://app.example.com', [], false],
    ['https://app.example.com', allowed, true],
    ['http://localhost:3000', allowed, true],
    ['http://app.example.com', allowed, false],
    ['https://app.example.com:443', allowed, false],
    ['https://app.example.com:8443', allowed, false],
    ['https://app.example.com/', allowed, false],
    ['https://app.example.com.evil.net', allowed, false],
    ['https://evil-app.example.com', allowed, false],
    ['https://x.app.example.com', allowed, false],
    ['https://evil.net#https://app.example.com', allowed, false],
    ['https://APP.example.com', allowed, false],
    ['https://app.example.com, https://evil.net', allowed, false],
    ['', allowed, false],
    ['*', allowed, false],
    ['null', allowed, false],
    ['null', [...allowed, 'null'], true],
    ['NULL', ['null'], false],
    ['http://127.0.0.1:4500', [], false],
  ];
  for (const [origin, list, verdict] of cases)
    t.equal(isOriginAllowed(origin, list), verdict, `${origin} in [${list}]`);
  t.end();
});

t.test('pages of the server itself are let in only where a foreign page of the same name is kept out', (t) => {
  const loopback = { kind: 'ws', host: '127.0.0.1', port: 4500 } as const;
  const exposed = { kind: 'ws', host: '0.0.0.0', port: 4500 } as const;
  const own = { origin: 'http://box.example', host: 'box.example' };
  const ofLoopback = { origin: 'http://localhost:4500', host: 'localhost:4500' };
  const cases: [listener: AuthListener, needsCredential: boolean, headers: object, passes: boolean][] = [
    [loopback, false, ofLoopback, true],
    [loopback, true, ofLoopback, true],
    // The name was made to point to this machine.
    [loopback, false, own, false],
    [loopback, true, own, false],
    [exposed, true, own, true],
    [exposed, false, own, false],
    [{ kind: 'unix' }, true, own, true],
    [{ kind: 'unix' }, false, own, false],
  ];
  for (const [listener, needsCredential, headers, passes] of cases) {
    const options = { listener, allowOrigins: [], allowHosts: [], needsCredential };
    const admission = new RequestAdmission({ ...options, hasPages: true });
    const what = `${JSON.stringify(headers)} on ${JSON.stringify(listener)}, credential ${needsCredential}`;
    t.equal(admission.refusal(headers, false) === undefined, passes, what);
    t.equal(admission.refusesOwnPages, listener !== loopback && !needsCredential, what);
    t.ok(new RequestAdmission({ ...options, hasPages: false }).refusal(headers, false), 'without pages');
    const named = new RequestAdmission({ ...options, hasPages: true, allowOrigins: ['http://box.example'] });
    t.notOk(named.refusesOwnPages, 'the operator has named an origin');
  }
  t.end();
});

t.test('value of --allow-origin is refused when no browser would ever send it', (t) => {
  const good = ['null', 'https://a.example', 'http://127.0.0.1:3000', 'http://[::1]:3000', 'chrome-extension://abcdef'];
  for (const value of good) t.equal(problemOfAllowedOrigin(value), undefined, value);
  const bad: [string, RegExp][] = [
    ['*', /expected an exact origin/],
    ['https://*.example.com', /expected an exact origin/],
    ['https://a.example/', /expected an exact origin/],
    ['https://a.example/path', /expected an exact origin/],
    ['https://user@a.example', /expected an exact origin/],
    ['a.example', /expected an exact origin/],
    ['', /expected an exact origin/],
    ['NULL', /expected an exact origin/],
    ['https://a.example:99999', /expected an exact origin/],
    ['https://a.example:443', /browsers send https:\/\/a\.example$/],
    ['https://A.example', /browsers send https:\/\/a\.example$/],
    ['https://ä.example', /browsers send https:\/\/xn--4ca\.example$/],
  ];
  for (const [value, message] of bad) t.match(problemOfAllowedOrigin(value), message, value);
  t.end();
});

t.test('host is refused on loopback when it is neither loopback nor named', (t) => {
  const good = [
    'localhost',
    'localhost:4500',
    'LOCALHOST:1',
    '127.0.0.1',
    '127.0.0.1:4500',
    '127.1.2.3:80',
    '[::1]',
    '[::1]:4500',
    '[0:0:0:0:0:0:0:1]:80',
    '[::ffff:127.0.0.1]:80',
  ];
  for (const host of good) t.equal(isHostAllowed(host, []), true, host);
  const bad = [
    undefined,
    '',
    ':4500',
    'evil.example',
    'evil.example:4500',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1.',
    'evil-localhost',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0.0.0.0',
    '128.0.0.1',
    '10.0.0.1:4500',
    '::1',
    '[::1',
    '::1]',
    '[::2]:80',
    '[::ffff:10.0.0.1]',
    '[localhost]',
    'localhost:',
    'localhost:x',
    'localhost:65536',
    'localhost:4500:4500',
    'user@localhost',
    'localhost/',
    'localhost, evil.example',
    ' localhost',
    'http://localhost',
  ];
  for (const host of bad) t.equal(isHostAllowed(host, []), false, String(host));
  const allowHosts = ['Proxy.internal', '10.1.2.3', 'fd00::1'];
  for (const host of ['proxy.internal', 'PROXY.internal:443', '10.1.2.3:80', '[fd00::1]', 'localhost']) {
    t.equal(isHostAllowed(host, allowHosts), true, host);
  }
  for (const host of ['x.proxy.internal', 'proxy.internal.evil.example', undefined]) {
    t.equal(isHostAllowed(host, allowHosts), false, String(host));
  }
  for (const value of ['proxy', 'a.b-c.d_e', '10.0.0.1', 'fd00::1'])
    t.equal(problemOfAllowedHost(value), undefined, value);
  for (const value of ['', '*', '*.internal', 'a:80', '[::1]', 'http://a', 'a..b', 'a b']) {
    t.match(problemOfAllowedHost(value), /^invalid --allow-host /, value);
  }
  t.end();
});

t.test('address is loopback when it never leaves the machine', (t) => {
  for (const ip of ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1']) t.equal(isLoopbackIp(ip), true, ip);
  for (const ip of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '::2',
    '::ffff:10.0.0.1',
    'localhost',
    '',
    '127.1',
    '[::1]',
  ]) {
    t.equal(isLoopbackIp(ip), false, ip);
  }
  t.end();
});

const LOOPBACK: AuthListener = { kind: 'ws', host: '127.0.0.1', port: 4500 };
const EXPOSED: AuthListener = { kind: 'ws', host: '0.0.0.0', port: 0 };
const DIGEST = 'a'.repeat(64);
const TOKEN: AuthOptions = { mode: 'capability-token', tokenFile: '/t' };
const JWT: AuthOptions = { mode: 'signed-bearer-token', sharedSecretFile: '/s' };

t.test('start is refused with every problem when flags of authentication do not fit', (t) => {
  const needAuth = 'websocket auth flags require `--ws-auth capability-token` or `--ws-auth signed-bearer-token`';
  const needJwt =
    '`--ws-shared-secret-file`, `--ws-jwks-file`, `--ws-issuer`, `--ws-audience`, and `--ws-max-clock-skew-seconds` require `--ws-auth signed-bearer-token`';
  const cases: [AuthOptions, AuthListener, string[]][] = [
    [{}, LOOPBACK, []],
    [{}, { kind: 'stdio' }, []],
    [{}, { kind: 'unix' }, []],
    [{ mode: 'none' }, EXPOSED, []],
    [TOKEN, EXPOSED, []],
    [{ mode: 'capability-token', tokenSha256: DIGEST }, EXPOSED, []],
    [JWT, EXPOSED, []],
    [{ mode: 'signed-bearer-token', jwksFile: '/j', issuer: 'i', audience: 'a', maxClockSkewSeconds: 0 }, EXPOSED, []],
    [{ tokenFile: '/t' }, LOOPBACK, [needAuth]],
    [{ tokenSha256: DIGEST }, LOOPBACK, [needAuth]],
    [{ issuer: 'i' }, LOOPBACK, [needAuth]],
    [{ mode: 'none', tokenFile: '/t' }, LOOPBACK, [needAuth]],
    [{ maxClockSkewSeconds: 0 }, { kind: 'stdio' }, [needAuth]],
    [
      { mode: 'capability-token' },
      LOOPBACK,
      ['`--ws-token-file` or `--ws-token-sha256` is required when `--ws-auth capability-token` is set'],
    ],
    [{ ...TOKEN, tokenSha256: DIGEST }, LOOPBACK, ['`--ws-token-file` and `--ws-token-sha256` are mutually exclusive']],
    [{ ...TOKEN, issuer: 'i' }, LOOPBACK, [needJwt]],
    [{ ...TOKEN, jwksFile: '/j' }, LOOPBACK, [needJwt]],
    [
      { mode: 'signed-bearer-token' },
      LOOPBACK,
      ['`--ws-shared-secret-file` or `--ws-jwks-file` is required when `--ws-auth signed-bearer-token` is set'],
    ],
    [{ ...JWT, jwksFile: '/j' }, LOOPBACK, ['`--ws-shared-secret-file` and `--ws-jwks-file` are mutually exclusive']],
    [
      { ...JWT, tokenFile: '/t' },
      LOOPBACK,
      ['`--ws-token-file` and `--ws-token-sha256` require `--ws-auth capability-token`, not `signed-bearer-token`'],
    ],
    [
      { mode: 'capability-token', tokenSha256: 'zz' },
      LOOPBACK,
      ['--ws-token-sha256 must be a 64-character hex SHA-256 digest'],
    ],
    [
      { ...JWT, maxClockSkewSeconds: -1 },
      LOOPBACK,
      ['--ws-max-clock-skew-seconds must be a whole number of seconds, 0 or more'],
    ],
    [
      { ...JWT, maxClockSkewSeconds: 1.5 },
      LOOPBACK,
      ['--ws-max-clock-skew-seconds must be a whole number of seconds, 0 or more'],
    ],
    [{ tlsCertFile: '/c' }, LOOPBACK, ['`--tls-cert` requires `--tls-key`']],
    [{ tlsKeyFile: '/k' }, LOOPBACK, ['`--tls-key` requires `--tls-cert`']],
    [{ tlsCertFile: '/c', tlsKeyFile: '/k' }, LOOPBACK, []],
    [
      { tlsCertFile: '/c', tlsKeyFile: '/k' },
      { kind: 'unix' },
      ['`--tls-cert` and `--tls-key` require a `ws://IP:PORT` listener'],
    ],
  ];
  for (const [options, listener, messages] of cases) {
    const expected = messages.map((message) => ({ message, exitCode: 2 }));
    t.same(validateAuthOptions(options, listener), expected, JSON.stringify([options, listener.kind]));
  }
  const several = validateAuthOptions({ allowOrigins: ['*', 'null'], allowHosts: ['*'] }, LOOPBACK);
  t.match(several, [{ message: /--allow-origin \*/ }, { message: /--allow-host \*/ }]);
  t.equal(several.length, 2);
  t.end();
});

t.test('non-loopback listener does not start when no flag says anything about authentication', (t) => {
  for (const [ip, address] of [
    ['0.0.0.0', '0.0.0.0:7'],
    ['::', '[::]:7'],
    ['10.0.0.1', '10.0.0.1:7'],
  ] as const) {
    const [problem, ...others] = validateAuthOptions({}, { kind: 'ws', host: ip, port: 7 });
    t.same(others, []);
    t.equal(problem?.exitCode, 1);
    t.ok(
      problem?.message.startsWith(
        `refusing to start non-loopback websocket listener ${address} without auth; configure ` +
          '`--ws-auth capability-token` or `--ws-auth signed-bearer-token`',
      ),
    );
  }
  for (const ip of ['127.0.0.1', '127.8.8.8', '::1'])
    t.same(validateAuthOptions({}, { kind: 'ws', host: ip, port: 7 }), []);
  t.end();
});

t.test('start warns when a reachable listener has no authentication, or takes tokens without TLS', (t) => {
  t.match(authStartWarnings({ mode: 'none' }, EXPOSED), [/0\.0\.0\.0:0 has no authentication/]);
  t.match(authStartWarnings(TOKEN, EXPOSED), [/without TLS.*load balancer/]);
  t.match(authStartWarnings(JWT, EXPOSED), [/without TLS.*load balancer/]);
  t.same(authStartWarnings({ ...TOKEN, tlsCertFile: '/c', tlsKeyFile: '/k' }, EXPOSED), []);
  t.same(authStartWarnings({ mode: 'none' }, LOOPBACK), []);
  t.same(authStartWarnings(TOKEN, LOOPBACK), []);
  t.same(authStartWarnings({}, { kind: 'unix' }), []);
  t.end();
});

t.test('threat model names the test of every line', (t) => {
  const root = resolve(import.meta.dirname, '../..');
  const page = readFileSync(resolve(root, 'docs/security.md'), 'utf8');
  const threats = page.slice(page.indexOf('## Threats'), page.indexOf('## The long fuzz run'));
  const lines = threats.split('\n').filter((line) => /^\| \d+ \|/.test(line));
  t.ok(lines.length >= 30, `${lines.length} threats`);
  for (const [index, line] of lines.entries()) {
    const [, number, threat, answer, file = '', title = ''] =
      /^\| (\d+) \| ([^|]+) \| ([^|]+) \| `(test\/[\w/.-]+)`: ([^|]+) \|$/.exec(line) ?? [];
    t.equal(Number(number), index + 1, line);
    t.ok(threat !== undefined && answer !== undefined);
    const source = file !== '' && existsSync(resolve(root, file)) ? readFileSync(resolve(root, file), 'utf8') : '';
    const begins = [`t.test('${title}'`, `t.test("${title}"`, `t.test(\n  '${title}'`, `t.test(\n  "${title}"`];
    t.ok(
      begins.some((begin) => source.includes(begin)),
      `${file}: ${title}`,
    );
  }
  t.end();
});
