// Shows, as tables, which sandbox follows from `sandboxPolicy` and the operator's flags. Enforces nothing.
import t from 'tap';
import {
  decideSandbox,
  NO_SANDBOX_SETTINGS,
  type SandboxChoice,
  type SandboxSettings,
} from '../../../src/dialects/command-exec/sandbox-request.js';
import type { MethodParams } from '../../../src/protocol/methods.js';

type WirePolicy = MethodParams<'command/exec'>['sandboxPolicy'];

const OPEN = { type: 'unconfined', network: true } as const;
const CLOSED = { type: 'unconfined', network: false } as const;
const writing = (more: object = {}): SandboxChoice => ({
  type: 'workspaceWrite',
  network: false,
  writableRoots: [],
  excludeSlashTmp: false,
  excludeTmpdirEnvVar: false,
  isBounded: false,
  ...more,
});

t.test('policy means the same as in the reference, with its defaults for missing fields', (t) => {
  const all = {
    networkAccess: true,
    writableRoots: ['/a', '/b/../c'],
    excludeSlashTmp: true,
    excludeTmpdirEnvVar: true,
  };
  const nothing = { networkAccess: null, writableRoots: null, excludeSlashTmp: null, excludeTmpdirEnvVar: null };
  const cases: readonly [WirePolicy, SandboxChoice][] = [
    [undefined, OPEN],
    [null, OPEN],
    [{ type: 'dangerFullAccess' }, OPEN],
    [{ type: 'externalSandbox' }, CLOSED],
    [{ type: 'externalSandbox', networkAccess: 'restricted' }, CLOSED],
    [{ type: 'externalSandbox', networkAccess: 'enabled' }, OPEN],
    [{ type: 'readOnly' }, { type: 'readOnly', network: false }],
    [
      { type: 'readOnly', ...nothing },
      { type: 'readOnly', network: false },
    ],
    [
      { type: 'readOnly', networkAccess: true },
      { type: 'readOnly', network: true },
    ],
    [{ type: 'workspaceWrite' }, writing()],
    [{ type: 'workspaceWrite', ...nothing }, writing()],
    [
      { type: 'workspaceWrite', ...all },
      writing({ network: true, writableRoots: ['/a', '/b/../c'], excludeSlashTmp: true, excludeTmpdirEnvVar: true }),
    ],
  ];
  for (const [policy, choice] of cases) {
    t.same(decideSandbox(policy, NO_SANDBOX_SETTINGS), { choice, isRaised: false }, JSON.stringify(policy));
  }
  t.end();
});

t.test('policy is refused with the name of the field when the field makes no sense', (t) => {
  const cases: readonly [NonNullable<WirePolicy>, RegExp][] = [
    [{ type: 'ReadOnly' }, /sandboxPolicy\.type/],
    [{ type: 'readOnly', networkAccess: 'enabled' }, /sandboxPolicy\.networkAccess/],
    [{ type: 'externalSandbox', networkAccess: true }, /sandboxPolicy\.networkAccess/],
    [{ type: 'workspaceWrite', writableRoots: ['/a', 'sub'] }, /sandboxPolicy\.writableRoots\[1\]/],
    [{ type: 'workspaceWrite', writableRoots: ['~'] }, /sandboxPolicy\.writableRoots\[0\]/],
    [{ type: 'workspaceWrite', writableRoots: ['/a\0b'] }, /sandboxPolicy\.writableRoots\[0\]/],
  ];
  for (const [policy, message] of cases) {
    t.throws(() => decideSandbox(policy, NO_SANDBOX_SETTINGS), { code: -32602, message }, JSON.stringify(policy));
  }
  t.end();
});

t.test("operator's default applies when a request names no policy, and the minimum always", (t) => {
  const settings = (more: Partial<SandboxSettings>): SandboxSettings => ({
    ...NO_SANDBOX_SETTINGS,
    roots: ['/w'],
    ...more,
  });
  const ofRoots = writing({ writableRoots: ['/w'] });
  const bounded = writing({ writableRoots: ['/w'], isBounded: true });
  const readOnly: SandboxChoice = { type: 'readOnly', network: false };
  const cases: readonly [Partial<SandboxSettings>, WirePolicy, SandboxChoice, isRaised: boolean][] = [
    [{ defaultPolicy: 'readOnly' }, undefined, readOnly, false],
    [{ defaultPolicy: 'readOnly', network: true }, null, { type: 'readOnly', network: true }, false],
    [{ defaultPolicy: 'readOnly' }, { type: 'dangerFullAccess' }, OPEN, false],
    [{ defaultPolicy: 'workspaceWrite' }, undefined, ofRoots, false],
    [{ minimum: 'workspaceWrite' }, undefined, bounded, true],
    [{ minimum: 'workspaceWrite' }, { type: 'dangerFullAccess' }, bounded, true],
    [{ minimum: 'workspaceWrite' }, { type: 'externalSandbox' }, bounded, true],
    [{ minimum: 'workspaceWrite' }, { type: 'readOnly' }, readOnly, false],
    [{ minimum: 'workspaceWrite' }, { type: 'readOnly', networkAccess: true }, readOnly, true],
    [
      { minimum: 'workspaceWrite' },
      { type: 'workspaceWrite', writableRoots: ['/etc'], networkAccess: true },
      writing({ writableRoots: ['/etc'], isBounded: true }),
      true,
    ],
    [{ minimum: 'readOnly' }, { type: 'workspaceWrite', writableRoots: ['/etc'] }, readOnly, true],
    [{ minimum: 'readOnly' }, undefined, readOnly, true],
    [
      { minimum: 'readOnly', network: true },
      { type: 'readOnly', networkAccess: true },
      { type: 'readOnly', network: true },
      false,
    ],
    [{ minimum: 'workspaceWrite', network: true }, { type: 'dangerFullAccess' }, { ...bounded, network: true }, true],
  ];
  for (const [flags, policy, choice, isRaised] of cases) {
    t.same(
      decideSandbox(policy, settings(flags)),
      { choice, isRaised },
      `${JSON.stringify(flags)} ${JSON.stringify(policy)}`,
    );
  }
  t.end();
});
