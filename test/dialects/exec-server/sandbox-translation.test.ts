// Shows which sandboxes of the exec-server protocol are enforced, as what, and which are refused.
import t from 'tap';
import { NO_SANDBOX_SETTINGS } from '../../../src/dialects/command-exec/sandbox-request.js';
import { decideExecSandbox } from '../../../src/dialects/exec-server/sandbox-translation.js';
import type { ExecServerSandbox } from '../../../src/protocol/methods/exec-server.js';

const HOST = { holdsProtectedPaths: true };

const special = (kind: string, access: string, subpath?: string) => ({
  path: { type: 'special' as const, value: { kind, ...(subpath === undefined ? {} : { subpath }) } },
  access,
});
const ROOT = special('root', 'read');
const PROTECTED = ['.git', '.agents', '.codex', '.aws'].map((name) => ({
  ...special('project_roots', 'read', name),
  missing_path_behavior: 'skip',
}));
/** As the agent sends it with `sandbox_mode = "workspace-write"`. */
const WORKSPACE = [
  ROOT,
  special('project_roots', 'write'),
  special('slash_tmp', 'write'),
  special('tmpdir', 'write'),
  ...PROTECTED,
];

type Entries = NonNullable<NonNullable<ExecServerSandbox['permissions']['file_system']>['entries']>;

function sandboxOf(entries: Entries, network = 'restricted'): ExecServerSandbox {
  return {
    permissions: { type: 'managed', file_system: { type: 'restricted', entries }, network },
    workspaceRoots: ['file:///work%20space'],
  };
}

t.test('sandbox of the agent becomes one of this server when this server has the same', (t) => {
  t.same(decideExecSandbox(sandboxOf([ROOT]), NO_SANDBOX_SETTINGS, HOST).choice, { type: 'readOnly', network: false });
  t.same(decideExecSandbox(sandboxOf([ROOT], 'enabled'), NO_SANDBOX_SETTINGS, HOST).choice, {
    type: 'readOnly',
    network: true,
  });
  t.same(decideExecSandbox(sandboxOf(WORKSPACE), NO_SANDBOX_SETTINGS, HOST).choice, {
    type: 'workspaceWrite',
    network: false,
    excludeWorkspace: true,
    writableRoots: ['/work space'],
    excludeSlashTmp: false,
    excludeTmpdirEnvVar: false,
    isBounded: false,
  });
  const more = { path: { type: 'path' as const, path: 'file:///more' }, access: 'write' };
  t.match(decideExecSandbox(sandboxOf([...WORKSPACE, more]), NO_SANDBOX_SETTINGS, HOST).choice, {
    writableRoots: ['/work space', '/more'],
  });
  t.end();
});

t.test('sandbox is refused when this server cannot enforce exactly what it says', (t) => {
  const refused = (entries: Entries, host = HOST): void => {
    const decide = (): unknown => decideExecSandbox(sandboxOf(entries), NO_SANDBOX_SETTINGS, host);
    t.throws(decide, { code: -32602, reason: 'untranslatableSandbox' }, JSON.stringify(entries.at(-1)));
  };
  refused([]);
  refused([special('root', 'write')]);
  refused([ROOT, special('root', 'deny')]);
  refused([ROOT, { path: { type: 'path', path: 'file:///secret' }, access: 'deny' }]);
  refused([ROOT, { path: { type: 'path', path: 'file:///secret' }, access: 'read' }]);
  refused([ROOT, special('unknown', 'write')]);
  refused([ROOT, special('project_roots', 'write')]);
  refused([...WORKSPACE, special('project_roots', 'read', 'src')]);
  refused(WORKSPACE, { holdsProtectedPaths: false });
  const other = { permissions: { type: 'disabled' } } as ExecServerSandbox;
  t.throws(() => decideExecSandbox(other, NO_SANDBOX_SETTINGS, HOST), { code: -32602 });
  t.throws(() => decideExecSandbox(sandboxOf([ROOT], 'proxied'), NO_SANDBOX_SETTINGS, HOST), { code: -32602 });
  t.end();
});

t.test('sandbox is what the operator chose when the agent sends null, and never less than the minimum', (t) => {
  t.match(decideExecSandbox(null, NO_SANDBOX_SETTINGS, HOST).choice, { type: 'unconfined' });
  const minimum = { ...NO_SANDBOX_SETTINGS, minimum: 'readOnly' as const };
  t.match(decideExecSandbox(null, minimum, HOST), { choice: { type: 'readOnly' }, isRaised: true });
  t.match(decideExecSandbox(sandboxOf([ROOT]), minimum, HOST), { choice: { type: 'readOnly' }, isRaised: false });
  t.throws(() => decideExecSandbox(sandboxOf(WORKSPACE), minimum, HOST), {
    code: -32602,
    message: /--sandbox-minimum/,
  });
  t.end();
});
