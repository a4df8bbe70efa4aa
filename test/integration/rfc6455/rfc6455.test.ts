// Plays every case of the table on every kind of listener, as one packet and byte by byte, and compares the answers and the Close. Knows no case.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { selfSignedCertificate } from '../../auth/self-signed-certificate.js';
import { frame } from '../../fuzz/raw-frames.js';
import { startServer } from '../../support/server.js';
import { CASES, type Case, repliesOfLength } from './cases.js';
import { RawWebSocket, type Received, type Target } from './raw-websocket.js';

/** Longer cases are sent only as one packet. */
const BYTEWISE_UP_TO = 400;
const CLOSE_1000 = frame({ opcode: 8, payload: Buffer.from([0x03, 0xe8]) });
const WITHOUT_TAKEOVER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

const idsOf = ({ texts }: Received): unknown[] => texts.map((text) => (JSON.parse(text) as { id: unknown }).id);

/** Plays one case and closes the connection if it is still open. @returns everything that came, and the part of it that a case names */
async function play(
  target: Target,
  one: Case,
  options: { offer: string; bytewise: boolean },
): Promise<[Received, object]> {
  const client = await RawWebSocket.open(target, options.offer);
  const bytes = Buffer.concat(one.sends);
  if (options.bytewise) {
    for (const byte of bytes) await new Promise((resolve) => client.socket.write(Buffer.from([byte]), resolve));
  } else client.socket.write(bytes);
  const wanted = (one.ids?.length ?? 0) + (one.pongs?.length ?? 0);
  const { received } = client;
  await client.until(
    ({ texts, pongs, close }) =>
      close !== undefined || (one.close === undefined && texts.length + pongs.length >= wanted),
  );
  // The client must answer a Close that the server began, but not one that answers the client's own.
  if (received.close === undefined || one.close !== undefined) client.socket.write(CLOSE_1000);
  await client.until(({ close }) => close !== undefined);
  // Waits until the server has closed the TCP connection. If the client closed first, its port would stay in use for a minute.
  await client.ended;
  client.socket.destroy();
  return [received, { ids: idsOf(received), pongs: received.pongs, close: received.close, faults: received.faults }];
}

async function conforms(t: Test, target: Target, offer = ''): Promise<void> {
  const isCompressed = offer !== '';
  for (const one of CASES.filter(({ compression = isCompressed }) => compression === isCompressed)) {
    const { ids = [], pongs = [], close = 1000 } = one;
    const isShort = one.sends.reduce((sum, { length }) => sum + length, 0) <= BYTEWISE_UP_TO;
    for (const bytewise of isShort ? [false, true] : [false]) {
      const [, got] = await play(target, one, { offer, bytewise });
      t.same(got, { ids, pongs, close, faults: [] }, `${one.name}${bytewise ? ', byte by byte' : ''}`);
    }
  }
  const [empty] = await play(
    target,
    { name: '', sends: [frame({ opcode: 1, payload: Buffer.from('{"id":"","method":"m"}') })], ids: [''] },
    { offer, bytewise: false },
  );
  for (const one of repliesOfLength(Buffer.byteLength(empty.texts[0] ?? ''))) {
    const [received, got] = await play(target, one, { offer, bytewise: false });
    t.same(got, { ids: one.ids, pongs: [], close: 1000, faults: [] }, one.name);
    t.equal(Buffer.byteLength(received.texts[0] ?? ''), one.length);
    if (!isCompressed) t.equal(received.lengths[0], one.length, 'not compressed');
    else if (one.length > 1024) t.ok((received.lengths[0] ?? 0) < one.length, 'compressed');
  }
}

t.test('server keeps RFC 6455 over TCP', async (t) => {
  const { port } = await startServer(t);
  await conforms(t, { port, secure: false });
});

t.test('server keeps RFC 6455 and RFC 7692 with compression', async (t) => {
  const { port } = await startServer(t, { flags: ['--compression'] });
  await conforms(t, { port, secure: false }, WITHOUT_TAKEOVER);
  await conforms(t, { port, secure: false }, '');
});

t.test('server keeps RFC 6455 over TLS', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { cert, key } = selfSignedCertificate('conformance');
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
  const flags = ['--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')];
  const { port } = await startServer(t, { flags });
  await conforms(t, { port, secure: true });
});

t.test('server keeps RFC 6455 over a Unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-unix-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'socket');
  await startServer(t, { listen: `unix://${path}` });
  await conforms(t, { path });
});
