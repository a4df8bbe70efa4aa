/**
 * `execwire mcp`: an MCP server on standard input and output, for agents. Its commands run on a server that the flags name, or on this machine, by a
 * server in this process, which `run.ts` hands in: this file is a bundle of its own, and the server is not part of it.
 */
import { ConnectError, messageOf } from '../../client/src/errors.js';
import { type Box, connect } from '../../client/src/node.js';
import { urlFromEnvironment } from '../config/client-settings.js';
import { serveMcp } from '../mcp/serve-mcp.js';
import { version } from '../version.js';
import type { CliCommand } from './command.js';
import { CONNECTION_FLAGS, credential, openConnection, serverUrl } from './connection.js';
import { describedCommand } from './described-command.js';
import { CliError, unforeseenText } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import type { OwnServer } from './own-server.js';
import { say, withoutPasswords } from './say.js';
import { handleSignals } from './signals.js';

/** Where the commands run. */
interface Machine {
  /** For the agent's model. */
  readonly place: string;
  readonly connect: () => Promise<Box>;
  /** Undefined for a server elsewhere. */
  readonly own: OwnServer | undefined;
}

/** The command. @param startOwnServer starts a server in this process, with flags of `serve` */
export function mcpCommand(startOwnServer: (flags: readonly string[]) => Promise<OwnServer>): CliCommand {
  return describedCommand({
    name: 'mcp',
    summary: 'Serves an agent that speaks MCP, on standard input and output.',
    usage: '[flags] [-- FLAGS OF SERVE]',
    flags: [
      { name: 'host', description: 'Serves this machine, also where EXECWIRE_URL names a server.' },
      ...CONNECTION_FLAGS,
    ],
    notes: `An agent starts it and gets tools for commands, terminals and files: exec, start, read_output, send_input, stop, list, read_file, write_file
and list_directory. Without --url and EXECWIRE_URL they work on this machine, in the directory it was started in; flags of \`execwire serve\`
behind -- then hold. --sandbox-minimum confines commands and write_file, --sandbox-default only commands. When the agent closes standard input, its commands are ended and none is left behind.

Standard output carries messages of MCP alone; what people should know is on standard error.`,
    examples: [
      ['claude mcp add execwire -- execwire mcp', 'Gives an agent this machine.'],
      ['execwire mcp --url wss://box.example --token-file token', 'Gives it another one.'],
      [
        'execwire mcp -- --sandbox-minimum workspaceWrite',
        'Lets its commands and write_file write only in this directory, /tmp and $TMPDIR.',
      ],
    ],
    run: (given) => runMcp(given, startOwnServer),
  });
}

async function runMcp(
  given: GivenFlags,
  startOwnServer: (flags: readonly string[]) => Promise<OwnServer>,
): Promise<number> {
  const signals = handleSignals();
  const machine = await machineOf(given, startOwnServer);
  const stop = new AbortController();
  const served = serveMcp({
    version,
    place: machine.place,
    connect: machine.connect,
    input: process.stdin,
    output: process.stdout,
    stop: stop.signal,
    say,
  });
  signals.endInOrder({
    // An agent that has ended does not wait: there is no work to finish.
    drain: async () => stop.abort(),
    killCommands: async () => machine.own?.killCommands(),
    sayDraining: () => {},
    logUnforeseen: (error) =>
      machine.own === undefined ? say(unforeseenText(error)) : machine.own.logUnforeseen(error),
  });
  await served;
  await machine.own?.close();
  return signals.exitCode;
}

async function machineOf(
  given: GivenFlags,
  startOwnServer: (flags: readonly string[]) => Promise<OwnServer>,
): Promise<Machine> {
  if (given.has('host') && given.has('url')) throw new CliError('--host and --url contradict each other: give one');
  const isElsewhere = !given.has('host') && (given.has('url') || urlFromEnvironment() !== undefined);
  if (isElsewhere) {
    if (given.words.length > 0) {
      throw new CliError(
        'flags of serve hold for a server in this process, and not for one that --url or EXECWIRE_URL names',
      );
    }
    const url = serverUrl(given);
    // A file that is missing or empty is told now, and not to each call.
    credential(given);
    const open = async (): Promise<Box> => {
      try {
        return (await openConnection(given, { reconnectMaxMs: RECONNECT_MAX_MS })).box;
      } catch (error) {
        // Such as a token file that has gone meanwhile.
        throw error instanceof CliError ? new ConnectError(error.message) : error;
      }
    };
    return { place: `the machine behind ${withoutPasswords(url)}`, connect: open, own: undefined };
  }
  if (given.words.some((word) => /^--(metrics-)?listen(=|$)/.test(word))) {
    throw new CliError(
      '--listen: this server has no listener; `execwire serve --listen ws://127.0.0.1:4500` starts one that has, and --url names it',
    );
  }
  let own: OwnServer;
  try {
    own = await startOwnServer(given.words);
  } catch (error) {
    throw new CliError(`cannot start: ${messageOf(error)}`);
  }
  const { openTransport } = own;
  const options = { name: 'execwire mcp', version, heartbeat: 0, reconnect: false, openTransport };
  const place = `the machine of this session, in ${process.cwd()}${confinement(own)}`;
  return { place, connect: () => connect('memory://', options), own };
}

/** What commands and files may do, for the agent's model: it need not find out by failing. */
function confinement({ sandbox }: OwnServer): string {
  const { minimum, byDefault } = sandbox;
  if (minimum !== 'none') return `; the sandbox ${minimum} holds for commands and files`;
  return byDefault === 'dangerFullAccess' ? '' : `; the sandbox ${byDefault} holds for commands`;
}

/** Milliseconds of coming back after a break: as long as commands are kept meanwhile. */
const RECONNECT_MAX_MS = 600_000;
