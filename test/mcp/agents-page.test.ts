// Shows that the configurations of MCP in docs/guide/agents.md work as they are written there.
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import t from 'tap';
import { blocksOf } from '../support/page-examples.js';
import { startServer } from '../support/server.js';
import { SERVER } from '../support/server-process.js';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/guide/agents.md'), 'utf8');
const TOKEN = 'a-token-of-this-test-0123456789abcdef';

interface Setup {
  readonly command: string;
  readonly args: string[];
}

t.test('configuration of MCP gives an agent a machine when it is copied from docs/guide/agents.md', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-page-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
  symlinkSync(SERVER, join(folder, 'execwire'));
  const server = await startServer(t, { flags: ['--ws-auth', 'capability-token', '--ws-token-file', tokenFile] });
  const setups = blocksOf(PAGE, 'json')
    .map((text) => text.replaceAll('ws://127.0.0.1:4500', server.url).replaceAll('/path/to/token', tokenFile))
    .flatMap((text) => Object.values(JSON.parse(text).mcpServers ?? {}) as Setup[]);
  t.equal(setups.length, 2, 'this machine and one elsewhere');
  t.equal(blocksOf(PAGE, 'json')[0]?.trim().split('\n').length, 5, 'three lines and their brackets');
  const inText = [...PAGE.matchAll(/`"args": (\[[^`]*\])`/g)].map(([, args = '']) => ({
    command: 'execwire',
    args: JSON.parse(args),
  }));
  t.equal(inText.length, 1, 'flags of serve');
  for (const { command, args } of [...setups, ...inText]) {
    const client = new Client({ name: 'page', version: '1' });
    const env = { PATH: [folder, resolve(process.execPath, '..'), process.env.PATH].join(delimiter) };
    await client.connect(new StdioClientTransport({ command, args, env, cwd: folder }), { timeout: 240_000 });
    const { content } = await client.callTool(
      { name: 'exec', arguments: { command: 'echo hello', timeout_seconds: 200 } },
      { timeout: 240_000 },
    );
    t.match(content, [{ text: /exit code 0/ }, { text: 'hello\n' }], args.join(' '));
    if (args.includes('--sandbox-minimum')) {
      t.match(client.getInstructions(), /the sandbox workspaceWrite holds for commands and files/);
      // Neither the folder of the agent nor below /tmp, where this project may lie.
      const elsewhere = mkdtempSync('/var/tmp/execwire-page-');
      t.teardown(() => rmSync(elsewhere, { recursive: true }));
      const path = join(elsewhere, 'not-to-be-written');
      const written = await client.callTool({ name: 'write_file', arguments: { path, content: 'x' } });
      t.ok(written.isError, JSON.stringify(written.content));
      t.notOk(existsSync(path));
      const inside = { path: join(folder, 'written'), content: 'x' };
      t.match(await client.callTool({ name: 'write_file', arguments: inside }), { content: [{ text: /^Wrote/ }] });
    }
    await client.close();
  }
});
