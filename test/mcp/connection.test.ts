// Shows what calls do while the connection to their server is away: they wait a while, say what is known, and send nothing late that they disowned.
import t from 'tap';
import type { BoxStatus } from '../../client/src/node.js';
import { ConnectionNews } from '../../src/mcp/connection-news.js';
import { whileThere } from '../../src/mcp/while-there.js';

/** News of a connection that a test breaks. */
function brokenNews(): { news: ConnectionNews; tell: (status: BoxStatus) => void } {
  const news = new ConnectionNews();
  let tell = (_: BoxStatus): void => {};
  news.follow({
    serverId: 'one',
    onStatus: (listener) => {
      tell = listener;
      return () => {};
    },
  });
  return { news, tell: (status) => tell(status) };
}

const AWAY = { state: 'away', code: 1006, reason: 'cut' } as BoxStatus;
const ONLINE = { state: 'online', isReturn: true, serverId: 'one' } as BoxStatus;
const OFFLINE = { state: 'offline', error: new Error('refused') } as BoxStatus;
/** For work that must not be given up. */
const LONG_MS = 2 ** 30;

t.test('work is not begun, and the call says so, when the connection stays away', async (t) => {
  const { news, tell } = brokenNews();
  tell(AWAY);
  let begun = 0;
  const work = async (): Promise<void> => {
    begun += 1;
  };
  const asked = { news, reconnect: () => {}, unclear: 'unknown', work };
  await t.rejects(whileThere({ ...asked, limitMs: 1 }), {
    message: /^Nothing was sent: the connection .* is away\. Try again/,
  });
  t.equal(begun, 0);
  const waiting = whileThere({ ...asked, limitMs: LONG_MS });
  t.equal(begun, 0);
  tell(ONLINE);
  await waiting;
  t.equal(begun, 1, 'it is begun when the connection is back');
});

t.test('work is not waited for when the connection breaks under it and stays away', async (t) => {
  const { news, tell } = brokenNews();
  const asked = { news, reconnect: () => {}, unclear: 'whether it was done is unknown' };
  let finish = (_: string): void => {};
  const work = () => new Promise<string>((resolve) => (finish = resolve));
  const broken = whileThere({ ...asked, work, limitMs: 1 });
  tell(AWAY);
  await t.rejects(broken, { message: 'whether it was done is unknown' });
  tell(ONLINE);
  const slow = whileThere({ ...asked, work, limitMs: LONG_MS });
  tell(AWAY);
  tell(ONLINE);
  finish('done');
  t.equal(await slow, 'done', 'a connection that comes back costs nothing');
});

t.test('connection is opened again when it was given up and a call needs it', async (t) => {
  const { news, tell } = brokenNews();
  tell(AWAY);
  tell(OFFLINE);
  let tries = 0;
  const reconnect = (): void => {
    tries += 1;
    setImmediate(tell, ONLINE);
  };
  t.equal(await whileThere({ news, reconnect, unclear: '', work: async () => 'done', limitMs: LONG_MS }), 'done');
  t.equal(tries, 1);
  t.match(news.take(), [/is back/]);
});
