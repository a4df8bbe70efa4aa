// Who knows whom: every source file against the layer rule, and the rule against planted breaches.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { layerProblems } from './support/layer-rule.js';

const ROOT = new URL('..', import.meta.url).pathname;
/** Generous: the longest file of today is a table of methods. */
const LONGEST_FILE_LINES = 350;

const files = ['src', 'plugins', 'routes', 'client'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => `${folder}/${name}`),
);

t.test('every source file imports its own layer or a lower one', (t) => {
  t.ok(files.length > 80, `${files.length} files were looked at`);
  for (const file of files) t.same(layerProblems(file, readFileSync(join(ROOT, file), 'utf8')), [], file);
  t.end();
});

t.test('every source file is short enough to be about one thing', (t) => {
  const long = files.filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > LONGEST_FILE_LINES);
  t.same(long, []);
  t.end();
});

t.test('layer rule is broken when a forbidden import is planted', (t) => {
  const planted: readonly [path: string, line: string][] = [
    ['src/protocol/errors.ts', "import type { OsProcess } from '../process/os-process.js';"],
    ['src/process/pipe-process.ts', "import { rpcError } from '../protocol/errors.js';"],
    ['src/auth/host.ts', "import { readConfig } from '../config/config.js';"],
    ['src/log.ts', "import { options } from './config/config.js';"],
    ['src/exec/command.ts', "import { CommandObserver } from '../telemetry/command-observer.js';"],
    ['src/server/lifecycle.ts', "import { buildApp } from './app.js';"],
    ['src/rpc/codec.ts', "import { Session } from '../session/session.js';"],
    ['src/rpc/codec.ts', "export { Session } from '../session/session.js';"],
    ['src/rpc/codec.ts', "import {\n  type Session,\n  Other,\n} from '../session/session.js';"],
    ['src/rpc/codec.ts', "const late = await import('../exec/command.js');"],
    ['src/rpc/codec.ts', "const late = require('../exec/command.js');"],
    ['src/session/session.ts', "import { Command } from '../exec/command.js';"],
    ['src/session/session.ts', "import { connect } from '../../client/client.js';"],
    ['src/exec/command.ts', "import { execPlugin } from '../../plugins/exec.js';"],
    ['plugins/exec.ts', "import { rpcRoute } from '../routes/rpc.js';"],
    ['routes/rpc.ts', "import { buildApp } from '../src/server/app.js';"],
    ['src/server/app.ts', "import { serve } from '../cli/serve.js';"],
    ['src/cli/serve.ts', "import '../main.js';"],
    ['client/client.ts', "import { Connection } from '../src/session/session.js';"],
    ['src/rpc/connection.ts', "import type { FastifyInstance } from 'fastify';"],
    ['src/rpc/websocket-transport.ts', "import { WebSocket } from 'ws';"],
    ['src/cli/serve.ts', "import Fastify from 'fastify';"],
    ['src/exec/command.ts', "import * as pty from 'node-pty';"],
    ['src/process/pipe-process.ts', "import koffi from 'koffi';"],
    ['src/rpc/router.ts', "import { z } from 'zod';"],
    ['plugins/telemetry.ts', "import { NodeSDK } from '@opentelemetry/sdk-node';"],
    ['client/client.ts', "import { Buffer } from 'node:buffer';"],
    ['src/exec/command.ts', 'const home = process.env.HOME;'],
    ['src/rpc/index.ts', ''],
    ['src/exec/utils.ts', ''],
    ['src/common/text.ts', ''],
  ];
  for (const [path, line] of planted)
    t.equal(layerProblems(path, `/** Owns. */\n${line}\n`).length, 1, `${path}: ${line}`);
  t.equal(
    layerProblems('src/rpc/codec.ts', "import { rpcError } from '../protocol/errors.js';\n").length,
    1,
    'no first line',
  );
  t.end();
});

t.test('layer rule stands when an import goes down, or is only spoken of', (t) => {
  const good: readonly [path: string, line: string][] = [
    ['src/exec/command.ts', "import { Session } from '../session/session.js';"],
    ['src/config/config.ts', "import { bytes } from './option-kinds.js';"],
    ['src/server/app.ts', "import { rpcRoute } from '../../routes/rpc.js';"],
    ['src/config/config.ts', 'const all = process.env;'],
    ['src/cli/serve.ts', "import type { FastifyInstance } from 'fastify';"],
    ['src/rpc/codec.ts', "// import { Session } from '../session/session.js';"],
    ['src/rpc/codec.ts', "/* process.env is not read: import('../exec/command.js') */"],
    ['plugins/websocket.ts', "import websocket from '@fastify/websocket';"],
  ];
  for (const [path, line] of good) t.same(layerProblems(path, `/** Owns. */\n${line}\n`), [], `${path}: ${line}`);
  t.end();
});
