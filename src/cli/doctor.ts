/** `execwire doctor`: looks at this host, or at a server by its URL, and says of what it found what to do. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConnectError, fieldOf } from '../../client/src/errors.js';
import { urlFromEnvironment } from '../config/client-settings.js';
import { readConfig } from '../config/config.js';
import { type CgroupFacts, Cgroups } from '../process/cgroups.js';
import { givenDescriptorLimit } from '../process/environment.js';
import { loadLibc } from '../process/libc.js';
import type { CgroupAbsence } from '../process/own-cgroup.js';
import { pidsLeft } from '../process/pids-left.js';
import type { SandboxHost } from '../process/sandbox/sandbox-host.js';
import { Sandboxes } from '../process/sandbox/sandboxes.js';
import { CONNECTION_FLAGS, type Connection, JSON_FLAG, withConnection } from './connection.js';
import { describedCommand } from './described-command.js';
import { CliError, cliErrorOf, exitCodeOfResult, unforeseenText } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { printJson, printText } from './out-stream.js';
import { safeLine } from './say.js';

/** One thing that doctor has looked at. */
export interface Finding {
  readonly name: string;
  readonly isGood: boolean;
  /** What doctor found. */
  readonly found: string;
  /** What to do about it; absent where it is good. */
  readonly advice?: string;
}

/** Something is not as it should be. `systemctl is-system-running` ends so, too. */
const EXIT_FOUND = 1;
/** The oldest Node that `package.json` takes. */
const OLDEST_NODE = [20, 19] as const;
/** A server with fewer descriptors refuses much: each connection takes one, and each command up to four. */
const FEW_DESCRIPTORS = 1024;
/** Processes that a small server needs. */
const FEW_PROCESSES = 64;
/** Built beside the program. */
const SANDBOX_SCRIPT = join(import.meta.dirname, 'sandbox-worker.cjs');

export const doctor = describedCommand({
  name: 'doctor',
  summary: 'Looks at this host, or at a server, and says what to do.',
  usage: '[flags]',
  flags: [
    { name: 'host', description: 'Looks at this host, also where EXECWIRE_URL names a server.' },
    JSON_FLAG,
    ...CONNECTION_FLAGS,
  ],
  notes: `With --host, or without --url and EXECWIRE_URL, it looks at what a server on this host could do: Node, native parts, terminals, limits,
sandbox, control group. Otherwise it looks at that server. Ends with 1 when something is not as it should be.`,
  examples: [
    ['execwire doctor --host', 'Looks at this host.'],
    ['execwire doctor --url ws://127.0.0.1:4500', 'Looks at a server.'],
  ],
  maxWords: 0,
  async run(given) {
    if (given.has('host') && given.has('url')) throw new CliError('--host and --url contradict each other: give one');
    const isRemote = !given.has('host') && (given.has('url') || urlFromEnvironment() !== undefined);
    const findings = await (isRemote ? serverFindings(given) : hostFindings());
    if (given.has('json')) await printJson(findings);
    else await printText(findings.map(lineOf).join(''));
    return findings.every(({ isGood }) => isGood) ? 0 : EXIT_FOUND;
  },
});

function lineOf({ name, isGood, found, advice }: Finding): string {
  return `${isGood ? 'ok  ' : 'LOOK'}  ${name}: ${safeLine(found)}${advice === undefined ? '' : `\n      ${advice}`}\n`;
}

function finding(name: string, isGood: boolean, found: string, advice: string): Finding {
  return { name, isGood, found, ...(isGood ? {} : { advice }) };
}

async function hostFindings(): Promise<Finding[]> {
  const sandboxes = new Sandboxes({ script: SANDBOX_SCRIPT, libc: loadLibc, onThread: () => {} });
  const cgroups = new Cgroups({ serverMark: `doctor-${process.pid}.`, libc: loadLibc, onRefused: () => {} });
  try {
    return [
      nodeFinding(),
      await nativeFinding(),
      terminalFinding(),
      ...descriptorFindings(),
      processFinding(),
      ...sandboxFindings(await sandboxes.host()),
      controlGroupFinding(),
      commandGroupFinding(await cgroups.facts()),
    ];
  } finally {
    await cgroups.close();
    await sandboxes.close();
  }
}

function nodeFinding(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isGood = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const found = `${process.version} on ${process.platform} ${process.arch}`;
  return finding('Node', isGood, found, `install Node ${OLDEST_NODE.join('.')} or newer`);
}

async function nativeFinding(): Promise<Finding> {
  const { realPipes, reason } = await loadLibc();
  const advice =
    'without the C library commands get sockets for pipes; reinstall, so that npm installs the koffi of this system';
  return finding('native parts', realPipes, realPipes ? 'the C library can be called' : (reason ?? 'missing'), advice);
}

function terminalFinding(): Finding {
  const advice = 'terminals need /dev/ptmx and a mounted /dev/pts; in a container do not mount another /dev over it';
  try {
    closeSync(openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY));
    return finding('terminals', true, '/dev/ptmx opens', advice);
  } catch (error) {
    return finding('terminals', false, error instanceof Error ? error.message : String(error), advice);
  }
}

function descriptorFindings(): Finding[] {
  const [, soft = 'unknown', hard = 'unknown'] =
    /^Max open files\s+(\S+)\s+(\S+)/m.exec(textOf('/proc/self/limits')) ?? [];
  const given = givenDescriptorLimit();
  const own = given ?? Number(soft);
  const few = `raise it: \`ulimit -n ${FEW_DESCRIPTORS * 16}\`, LimitNOFILE= of the unit, or --ulimit of the container`;
  const limit = finding('descriptors', !(own < FEW_DESCRIPTORS), `soft ${given ?? soft}, hard ${hard}`, few);
  const shell =
    'start `execwire` itself, and not `node execwire.cjs`: Node raises its limit, and commands then get the hard one';
  return given === undefined
    ? [limit, finding('limit of commands', false, 'unknown: not started by its own script', shell)]
    : [limit];
}

function processFinding(): Finding {
  const left = pidsLeft();
  const advice = 'raise pids.max of the control group, or `ulimit -u`';
  return finding(
    'processes',
    left === undefined || left >= FEW_PROCESSES,
    left === undefined ? 'no limit known' : `${left} left`,
    advice,
  );
}

function sandboxFindings({ landlockAbi, missing, reason, mountNamespace, notEnforced }: SandboxHost): Finding[] {
  if (missing.length > 0) {
    const advice =
      'policies are refused here: use a kernel with Landlock (5.13, lsm=landlock,…) and a profile that lets seccomp through';
    return [finding('sandbox', false, reason, advice)];
  }
  const gaps = notEnforced.length === 0 ? 'all of it is enforced' : `not enforced: ${notEnforced.join(', ')}`;
  const policies = ownPolicyText();
  const mounts = mountNamespace ? 'with mounts of their own' : 'without mounts of their own';
  return [finding('sandbox', true, `Landlock ${landlockAbi} and seccomp, ${mounts}; ${gaps}${policies}`, '')];
}

function controlGroupFinding(): Finding {
  const groups = textOf('/proc/self/cgroup');
  const version = /^0::/m.test(groups) && !/^\d+:memory:/m.test(groups) ? 'version 2' : 'version 1';
  const memory =
    textOf('/sys/fs/cgroup/memory.max').trim() || textOf('/sys/fs/cgroup/memory/memory.limit_in_bytes').trim();
  const limit = /^\d{1,16}$/.test(memory) ? `memory limit ${memory} bytes` : 'no memory limit seen';
  return finding('control group', groups !== '', groups === '' ? 'none' : `${version}, ${limit}`, 'mount /proc');
}

/** Groups for commands are an extra, so their absence is nothing to mend. */
function commandGroupFinding(facts: CgroupFacts): Finding {
  return finding(
    'groups of commands',
    true,
    cgroupText(facts.commands, 'reason' in facts ? facts.reason : undefined),
    '',
  );
}

const CGROUP_ABSENCES: Readonly<Record<CgroupAbsence, string>> = {
  notMounted: 'control groups of version 2 are not mounted, or the own one is not in sight',
  readOnly: 'they are mounted read-only, as container engines do',
  notWritable: 'the own control group belongs to another user; a systemd unit has Delegate=yes for that',
  notDelegated: 'the own control group is not delegated; a systemd unit has Delegate=yes for that',
  oldKernel: 'the kernel has no cgroup.kill (Linux 5.14)',
  noLibrary: 'the C library cannot be called',
  refused: 'the kernel refuses them',
};

/** What a host or a server says of control groups for commands; a reason that is not known here stays as it is. */
function cgroupText(commands: unknown, reason: unknown): string {
  if (commands === 'start') return 'writable: each command is born in one of its own';
  if (commands === 'soon') {
    return 'writable: each command that does not end at once is moved into one of its own (before glibc 2.39)';
  }
  const known = Object.entries(CGROUP_ABSENCES).find(([name]) => name === reason)?.[1];
  return `none, which is fine: ${known ?? String(reason)}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function serverFindings(given: GivenFlags): Promise<Finding[]> {
  try {
    return await withConnection(given, { reconnects: false }, lookAtServer);
  } catch (error) {
    const found = cliErrorOf(error)?.message ?? `it does not answer as a server does: ${unforeseenText(error)}`;
    return [finding('server', false, safeLine(found), adviceOn(error))];
  }
}

async function lookAtServer({ box, url, keepsCommands }: Connection): Promise<Finding[]> {
  const { serverInfo, limits } = box.server;
  const [name, version] = [fieldOf(serverInfo, 'name'), fieldOf(serverInfo, 'version')];
  const exitCode = exitCodeOfResult(await box.exec(['sh', '-c', 'exit 0'], { reject: false }));
  const sandbox = fieldOf(limits, 'sandbox');
  const [landlockAbi, gaps] = [fieldOf(sandbox, 'landlockAbi'), fieldOf(sandbox, 'notEnforced')];
  const enforces = typeof landlockAbi === 'number' && landlockAbi > 0;
  const notEnforced = Array.isArray(gaps) ? gaps.join(', ') : '';
  const policies = policyText(fieldOf(sandbox, 'default'), fieldOf(sandbox, 'minimum'));
  const cgroups = fieldOf(limits, 'cgroups');
  return [
    finding('server', true, safeLine(`${name ?? 'unknown'} ${version ?? ''} at ${url}`), ''),
    finding('commands', exitCode === 0, `sh -c 'exit 0' ended with ${exitCode}`, 'look into the log of the server'),
    finding(
      'coming back',
      keepsCommands,
      keepsCommands ? 'commands outlive connections' : 'commands end with their connection',
      'take a newer server',
    ),
    finding(
      'sandbox',
      enforces,
      enforces
        ? `Landlock ${landlockAbi}; not enforced: ${notEnforced || 'nothing'}${policies}`
        : `policies are refused${policies}`,
      'run `execwire doctor --host` on that host',
    ),
    ...(cgroups === undefined
      ? []
      : [
          finding('groups of commands', true, cgroupText(fieldOf(cgroups, 'commands'), fieldOf(cgroups, 'reason')), ''),
        ]),
  ];
}

/** What commands get that ask for no policy. Empty where nobody says. */
function policyText(unasked: unknown, minimum: unknown): string {
  if (typeof unasked !== 'string' || typeof minimum !== 'string') return '';
  return `; a command without a policy of its own gets ${unasked} (--sandbox-default), minimum ${minimum} (--sandbox-minimum)`;
}

/** The same for a server that is started here without flags. */
function ownPolicyText(): string {
  try {
    const { sandboxDefault, sandboxMinimum } = readConfig([]);
    return policyText(sandboxDefault, sandboxMinimum);
  } catch {
    // `serve` names the wrong variable.
    return '';
  }
}

/** What to do about a server that cannot be looked at. */
function adviceOn(error: unknown): string {
  const status = error instanceof ConnectError ? error.status : undefined;
  if (status === 401) return 'give the credential of this server: --token-file FILE, or EXECWIRE_TOKEN';
  if (status === 403) return 'the server does not let this client in: look at its --allow-origin and --allow-host';
  if (status === 429 || status === 503) return 'try again later, or raise --max-connections of the server';
  return 'start one with `execwire serve --listen ws://127.0.0.1:4500`, or mend --url and the token';
}
