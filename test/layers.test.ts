// Checks the project's files against the rules on imports and on single files, and checks that the rules find planted breaches. Knows no rule.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Breach, fileProblems, importBreaches, SOURCE_FOLDERS } from './support/source-rules.js';

const ROOT = new URL('..', import.meta.url).pathname;

/** Writes files, and every file that they import, into a folder of the test's own and looks for breaches. */
async function breachesOf(t: Test, files: Readonly<Record<string, string>>): Promise<Breach[]> {
  const root = mkdtempSync(join(tmpdir(), 'execwire-layers-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const folder of SOURCE_FOLDERS) mkdirSync(join(root, folder));
  for (const [path, text] of Object.entries(files)) {
    for (const [, name = ''] of text.matchAll(/'([^'\n]+)'/g)) {
      if (name.startsWith('.')) write(join(dirname(path), name.replace(/js$/, 'ts')), 'export {};');
      else if (!name.startsWith('node:')) write(`node_modules/${name}/index.js`, '');
    }
  }
  for (const [path, text] of Object.entries(files)) write(path, text);
  return (await importBreaches(root)).breaches;
}

t.test('every source file imports its own layer or one that its layer may know', async (t) => {
  const { breaches, files } = await importBreaches(ROOT);
  t.same(breaches, []);
  t.ok(files > 100, `${files} files were looked at`);
});

t.test('every source file says first what it owns, has a telling name, is short and reads no environment', (t) => {
  const files = SOURCE_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => `${folder}/${name}`),
  );
  t.ok(files.length > 100, `${files.length} files were looked at`);
  t.same(
    files.flatMap((file) => fileProblems(file, readFileSync(join(ROOT, file), 'utf8'))),
    [],
  );
  t.end();
});

t.test('import rules find the breach when a forbidden import is planted', async (t) => {
  const planted: readonly [rule: string, file: string, code: string][] = [
    ['below src/protocol', 'src/protocol/a.ts', "import type { OsProcess } from '../process/os-process.js';"],
    ['below src/protocol', 'src/protocol/methods/a.ts', "import { rules } from '../../policy/rules.js';"],
    ['below src/process', 'src/process/a.ts', "import { rpcError } from '../protocol/errors.js';"],
    ['below src/process', 'src/process/b.ts', "import { walk } from '../files/walk.js';"],
    ['below src/files', 'src/files/a.ts', "import { rpcError } from '../protocol/errors.js';"],
    ['below src/auth', 'src/auth/a.ts', "import { readConfig } from '../config/config.js';"],
    ['below src/config', 'src/config/a.ts', "import { log } from '../log.js';"],
    ['below src/policy', 'src/policy/a.ts', "import { Session } from '../session/session.js';"],
    ['below src/rpc', 'src/rpc/a.ts', "import { Session } from '../session/session.js';"],
    ['below src/rpc', 'src/rpc/b.ts', "export { Session } from '../session/session.js';"],
    ['below src/rpc', 'src/rpc/c.ts', "import {\n  type Session,\n  Other,\n} from '../session/session.js';"],
    ['below src/rpc', 'src/rpc/d.ts', "const late = await import('../commands/command.js');"],
    ['below src/rpc', 'src/rpc/e.ts', "const late = require('../commands/command.js');"],
    ['below src/rpc', 'src/rpc/f.ts', "type Late = import('../commands/command.js').Command;"],
    ['below src/session', 'src/session/a.ts', "import { Command } from '../commands/command.js';"],
    ['below src/session', 'src/session/b.ts', "import { connect } from '../../client/src/browser.js';"],
    ['below src/commands', 'src/commands/a.ts', "import { rpcError } from '../protocol/errors.js';"],
    ['below src/commands', 'src/commands/b.ts', "import type { Connection } from '../rpc/connection.js';"],
    ['below src/commands', 'src/commands/c.ts', "import { CommandObserver } from '../telemetry/command-observer.js';"],
    ['below src/dialects', 'src/dialects/command-exec/a.ts', "import { Drain } from '../../server/drain.js';"],
    ['below src/dialects', 'src/dialects/command-exec/b.ts', "import { count } from '../../telemetry/store.js';"],
    ['below src/telemetry', 'src/telemetry/a.ts', "import { Drain } from '../server/drain.js';"],
    ['below src/server', 'src/server/a.ts', "import { execPlugin } from '../../plugins/exec.js';"],
    ['below src/server', 'src/server/b.ts', "import { buildApp } from './app.js';"],
    ['below plugins', 'plugins/a.ts', "import { rpcRoute } from '../routes/rpc.js';"],
    ['below plugins', 'plugins/b.ts', "import { buildApp } from '../src/server/app.js';"],
    ['below routes', 'routes/a.ts', "import { buildApp } from '../src/server/app.js';"],
    ['below src/server/app', 'src/server/app.ts', "import { serve } from '../cli/serve.js';"],
    ['below src/mcp', 'src/mcp/a.ts', "import { readConfig } from '../config/config.js';"],
    ['below src/mcp', 'src/mcp/b.ts', "import { Command } from '../commands/command.js';"],
    ['below src/cli', 'src/cli/a.ts', "import '../main.js';"],
    ['below src/main', 'src/main.ts', "import { buildApp } from './server/app.js';"],
    ['below src/launcher', 'src/launcher.ts', "import { version } from './version.js';"],
    ['below client', 'client/a.ts', "import { Connection } from '../src/rpc/connection.js';"],
    ['below client', 'client/c.ts', "import { App } from '../web/src/app.js';"],
    ['below web', 'web/src/a.ts', "import { rpcError } from '../../src/protocol/errors.js';"],
    ['below web', 'web/src/b.ts', "import { loadPage } from '../../src/server/page-files.js';"],
    ['owners of (fastify|fastify-plugin|@fastify/[^/]+)', 'src/rpc/g.ts', "import type { F } from 'fastify';"],
    ['owners of (fastify|fastify-plugin|@fastify/[^/]+)', 'src/server/c.ts', "import fp from 'fastify-plugin';"],
    ['only types of (fastify|fastify-plugin|@fastify/[^/]+)', 'src/cli/b.ts', "import Fastify from 'fastify';"],
    ['owners of node-pty', 'src/process/c.ts', "import * as pty from 'node-pty';"],
    ['only types of koffi', 'src/process/d.ts', "import koffi from 'koffi';"],
    ['owners of koffi', 'src/commands/d.ts', "import type { F } from 'koffi';"],
    ['owners of zod', 'src/rpc/h.ts', "import { z } from 'zod';"],
    ['owners of prom-client', 'src/telemetry/b.ts', "const { Registry } = await import('prom-client');"],
    ['owners of @opentelemetry/api', 'src/rpc/i.ts', "import { trace } from '@opentelemetry/api';"],
    ['owners of @opentelemetry/(?!api/)[^/]+', 'plugins/c.ts', "import { N } from '@opentelemetry/sdk-trace-node';"],
    ['owners of ws', 'src/rpc/j.ts', "import { WebSocket } from 'ws';"],
    ['owners of @modelcontextprotocol/server', 'src/cli/c.ts', "import { M } from '@modelcontextprotocol/server';"],
    ['an owned package', 'src/rpc/other-package.ts', "import { JSONRPCClient } from 'json-rpc-2.0';"],
    ['owners of @xterm/(?!headless/)[^/]+', 'src/commands/f.ts', "import { Terminal } from '@xterm/xterm';"],
    ['owners of @xterm/headless', 'web/src/c.ts', "import { Terminal } from '@xterm/headless';"],
    ['browsers', 'web/src/d.ts', "import { Buffer } from 'node:buffer';"],
    ['browsers', 'client/b.ts', "import { Buffer } from 'node:buffer';"],
    ['browsers', 'src/protocol/b.ts', "import { Buffer } from 'buffer';"],
    ['environment', 'src/commands/e.ts', "import { env } from 'node:process';"],
    ['a layer', 'src/drawer/a.ts', "import { join } from 'node:path';"],
    ['resolvable', 'src/rpc/k.ts', 'import { gone } from "./gone.js";'],
  ];
  const breaches = await breachesOf(t, Object.fromEntries(planted.map(([, file, code]) => [file, code])));
  for (const [rule, file, code] of planted) {
    const broken = breaches.filter((breach) => breach.file === file && breach.rule !== 'in use');
    t.same(
      broken.map((breach) => breach.rule),
      [rule],
      `${file}: ${code}`,
    );
  }
});

t.test(
  'import rules find the breach when files import each other in a circle, or a file is imported by none',
  async (t) => {
    const circle = await breachesOf(t, {
      'src/rpc/a.ts': "import { b } from './b.js';",
      'src/rpc/b.ts': "import type { C } from './c.js';",
      'src/rpc/c.ts': "export * from './a.js';",
    });
    t.same(new Set(circle.map(({ rule }) => rule)), new Set(['no cycle']));
    const dead = await breachesOf(t, {
      'src/main.ts': "import { run } from './cli/run.js';",
      'src/cli/run.ts': '',
      'src/cli/dead.ts': '',
    });
    t.same(
      dead.map(({ file, rule }) => [file, rule]),
      [['src/cli/dead.ts', 'in use']],
    );
  },
);

t.test('import rules find the breach when a command that talks to a server loads the server', async (t) => {
  const breaches = await breachesOf(t, {
    'src/main.ts': "import { run } from './cli/run.js';",
    'src/cli/run.ts': "const { clientCommands } = await import('./client-commands.js');",
    'src/cli/client-commands.ts': "import { exec } from './exec.js';",
    'src/cli/exec.ts': "import { Table } from '../commands/table.js';",
    'src/commands/table.ts': '',
  });
  t.same(
    breaches.map(({ file, rule, imports }) => [file, rule, imports]),
    [['src/cli/client-commands.ts', 'small command line', 'src/commands/table.ts']],
  );
});

t.test('import rules find no breach when an import goes down a layer, or is only in a comment', async (t) => {
  const breaches = await breachesOf(t, {
    'src/dialects/command-exec/a.ts': "import { Session } from '../../session/session.js';",
    'src/config/config.ts': "import { bytes } from './option-kinds.js';",
    'src/cli/serve.ts': "import type { FastifyInstance } from 'fastify';",
    'src/rpc/a.ts': "// import { Session } from '../session/session.js';",
    'src/rpc/b.ts': "/* It is not: import('../commands/command.js') */",
    'src/server/app.ts': "import Fastify from 'fastify';\nimport { rpcRoute } from '../../routes/rpc.js';",
    'plugins/websocket.ts': "import websocket from '@fastify/websocket';",
  });
  t.same(breaches, []);
});

t.test(
  'file rules find the problem when a file has a meaningless name, no first comment, too many lines or reads the environment',
  (t) => {
    const long = 'x;\n'.repeat(301);
    const planted: readonly [problem: RegExp, path: string, source: string][] = [
      [/name/, 'src/rpc/index.ts', '/** Owns. */'],
      [/name/, 'src/commands/utils.ts', '/** Owns. */'],
      [/name/, 'src/common/text.ts', '/** Owns. */'],
      [/begin/, 'src/rpc/codec.ts', "import { rpcError } from '../protocol/errors.js';\n"],
      [/lines/, 'src/rpc/codec.ts', `/** Owns. */\n${long}`],
      [/lines/, 'src/rpc/codec.ts', `/** Owns. */\n// Long because of this.\n${long}`],
      [/env/, 'src/commands/command.ts', '/** Owns. */\nconst home = process.env.HOME;'],
      [/env/, 'src/commands/command.ts', "/** Owns. */\nconst home = process['env'];"],
      [/env/, 'src/commands/command.ts', '/** Owns. */\nconst { pid, env } = process;'],
      [/env/, 'src/commands/command.ts', '/** Owns. */\nrun(globalThis.process.env);'],
    ];
    for (const [problem, path, source] of planted) {
      const problems = fileProblems(path, source);
      t.match(problems, [problem], `${path}: ${source.slice(0, 60)}`);
      t.equal(problems.length, 1);
    }
    const good: readonly [path: string, source: string][] = [
      ['src/config/config.ts', '/** Owns. */\nconst all = process.env;'],
      ['src/main.ts', '#!/usr/bin/env node\n// Owns.\n'],
      ['src/rpc/codec.ts', '/** Owns. process.env is not read. */\n// process.env\nconst text = "process.env";\n'],
      ['src/rpc/codec.ts', `/** Owns a table. Long because the table is. */\n${long}`],
    ];
    for (const [path, source] of good) t.same(fileProblems(path, source), [], `${path}: ${source.slice(0, 60)}`);
    t.end();
  },
);
