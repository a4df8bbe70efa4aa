/** How a page gets its credential, and where it keeps it. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { browserTest } from './browser-test.js';

/** Where the page could have kept a token, as text. */
function keptIn(
  page: Page,
): Promise<{ local: string; session: string; cookie: string; address: string; state: string }> {
  return page.evaluate(() => ({
    local: JSON.stringify(localStorage),
    session: JSON.stringify(sessionStorage),
    cookie: document.cookie,
    address: location.href,
    state: JSON.stringify(history.state),
  }));
}

browserTest('token is taken from the address at once, and kept for the session only', async (t) => {
  const terminal = await t.open();
  const { token } = t.workplace;
  const { local, session, cookie, address, state } = await keptIn(terminal.page);
  assert.ok(session.includes(token));
  for (const place of [local, cookie, address, state]) assert.ok(!place.includes(token), `no token in ${place}`);
  await terminal.page.goBack().catch(() => {});
  assert.ok(!terminal.page.url().includes(token), 'no entry of the history has it');
});

browserTest('user signs in with a pasted token, and stays signed in when the page is loaded again', async (t) => {
  const terminal = await t.open({ hasToken: false });
  const { page } = terminal;
  await page.getByLabel('Token').fill(t.workplace.token);
  await page.getByLabel('Token').press('Enter');
  await terminal.untilPrompt();
  assert.match(await terminal.run('echo signed-""in'), /signed-in/);
  await page.reload();
  await terminal.untilShown('signed-in');
  const { local, address } = await keptIn(page);
  for (const place of [local, address]) assert.ok(!place.includes(t.workplace.token));
});

browserTest('user is told, and asked again, when the token is wrong', async (t) => {
  t.faults.expect(/console: .*WebSocket connection to .* failed/, /console: .*401/);
  const terminal = await t.open({ hasToken: false });
  const { page } = terminal;
  await page.getByLabel('Token').fill('wrong');
  await terminal.button('Sign in').click();
  await page.getByRole('alert').filter({ hasText: /token/i }).waitFor();
  await page.getByLabel('Token').fill(t.workplace.token);
  await terminal.button('Sign in').click();
  await terminal.untilPrompt();
  assert.ok(!JSON.stringify(await keptIn(page)).includes('"wrong"'));
});

browserTest('token of a link is taken as it is, and kept for the servers of its path alone', async (t) => {
  t.faults.expect(/console: .*WebSocket connection to .* failed/, /console: .*401/);
  const terminal = await t.open({ hasToken: false });
  await terminal.page.evaluate(() => {
    location.hash = 'token=ab+cd%2Fef==';
  });
  await terminal.untilSaid(/refuses this token/);
  const kept = await terminal.page.evaluate(() => ({ ...sessionStorage }));
  assert.equal(kept['execwire.token /'], 'ab+cd/ef==');
  for (const name of Object.keys(kept)) assert.match(name, / \/$/);
  // The empty field stands for the token that is there.
  await terminal.button('Sign in').click();
  await terminal.untilSaid(/refuses this token/);
  assert.equal((await terminal.page.evaluate(() => ({ ...sessionStorage })))['execwire.token /'], 'ab+cd/ef==');
});

browserTest('nothing of a terminal is left in the tab when the user signs out', async (t) => {
  // The picture is there before the connection, which the sign-out may then end.
  t.faults.expect(/WebSocket is closed before the connection is established/);
  const terminal = await t.open();
  const { page } = terminal;
  await terminal.run('printf "\\033]0;secret-title\\007"; echo a-secret-""on-the-screen');
  await terminal.untilTrue('the title is there', async () => (await page.title()).includes('secret-title'));
  // Another page of the tab, whose terminals are the same; the first one is kept for the back button.
  await page.goto(`${t.server.httpUrl}/terminal?again`);
  await terminal.untilShown('a-secret-on-the-screen');
  await terminal.button('Sign out').click();
  await terminal.untilSaid(/signed out/);
  const left = async (): Promise<string> =>
    (await page.title()) + (await page.locator('body').textContent()) + JSON.stringify(await keptIn(page));
  assert.doesNotMatch(await left(), /secret/);
  await page.goBack({ waitUntil: 'commit' });
  await terminal.untilTrue('the page before shows nothing', async () => {
    const shown = await left();
    return /Token/.test(shown) && !/secret/.test(shown);
  });
});

browserTest('page and its files come with a strict policy', async (t) => {
  const { headers, body } = await t.server.get('/terminal');
  const policy = String(headers['content-security-policy']);
  assert.match(policy, /^default-src 'none';/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(String(body), /<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|<style/);
});

browserTest('pages of other origins, and frames, get nothing', async (t) => {
  const { page } = await t.open();
  const other = await t.startServer();
  t.faults.expect(
    /console: .*(WebSocket|Content Security Policy|X-Frame|refused|violates)/i,
    /policy violated: (connect|frame)-src/,
  );
  const opened = await page.evaluate(
    (url) =>
      new Promise<boolean>((resolve) => {
        try {
          const socket = new WebSocket(url);
          socket.onopen = () => resolve(true);
          socket.onerror = () => resolve(false);
        } catch {
          resolve(false);
        }
      }),
    other.url,
  );
  assert.equal(opened, false, 'the policy lets the page speak to its own server only');
});
