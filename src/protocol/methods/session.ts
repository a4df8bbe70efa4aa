/** Methods and notifications about the connection itself. Knows no command. */
import * as z from 'zod';
import { strings } from './bounded-values.js';
import type { MethodDefinition } from './method-definition.js';

const initializeParams = z.object({
  clientInfo: z
    .object({
      name: z.string().describe('Name of the client program; a valid HTTP header value.'),
      title: z.string().nullish().describe('Name for people.'),
      version: z.string().describe('Version of the client program.'),
    })
    .describe('The client.'),
  capabilities: z
    .object({
      experimentalApi: z.boolean().nullish().describe('Asks for experimental methods and fields. Default false.'),
      optOutNotificationMethods: strings()
        .nullish()
        .describe('Exact names of notifications this connection does not want; unknown names are ignored.'),
      heartbeatMs: z
        .number()
        .int()
        .min(100)
        .max(3_600_000)
        .nullish()
        .describe(
          'Asks for a `server/heartbeat` notification every so many milliseconds, 100 to 3600000; the first comes after 100. Default none.',
        ),
    })
    .nullish()
    .describe('What the client can do and wants.'),
});

const sandboxLimits = z.object({
  landlockAbi: z.number().int().describe('Version of Landlock; 0: no policy can be enforced.'),
  network: z.enum(['seccomp', 'none']).describe('What enforces that a command has no network.'),
  notEnforced: z
    .array(z.string())
    .describe(
      'Promises of policies that this host cannot keep: `protectedPaths`, `metadata`, `processList`, `signals`.',
    ),
  default: z.string().describe('`--sandbox-default`: the policy of a command whose request names none.'),
  minimum: z.string().describe('`--sandbox-minimum`: the policy that every command gets at least, or `none`.'),
});

const cgroupLimits = z.object({
  commands: z
    .enum(['start', 'soon', 'none'])
    .describe(
      '`start`: each command is born in a control group of its own. `soon`: it is moved there if it does not end at once.',
    ),
  reason: z
    .string()
    .optional()
    .describe(
      'Why there are none: `notMounted`, `readOnly`, `notWritable`, `notDelegated`, `oldKernel`, `noLibrary`, `refused`.',
    ),
});

const initializeResult = z.object({
  userAgent: z.string().describe('Names the server and the client.'),
  codexHome: z
    .string()
    .describe("The server's home directory, absolute. Clients generated from the reference's schema require it."),
  platformFamily: z.string().describe('`unix`.'),
  platformOs: z.string().describe('`linux` or `macos`.'),
  serverInfo: z
    .object({ name: z.string().describe('`execwire`.'), version: z.string().describe("The server's version.") })
    .describe('The server.'),
  serverId: z
    .string()
    .describe('Names this server instance: only the same one can say that a detachable command is lost.'),
  connectionId: z.string().describe('Names this connection in logs, traces and metrics.'),
  limits: z
    .record(z.string(), z.union([z.number(), sandboxLimits, cgroupLimits]))
    .describe(
      "The server's bounds, by the names of their flags in camelCase; `sandbox`, what is enforced of a `sandboxPolicy`; and `cgroups`, by what kills reach every process of a command.",
    ),
});

/** Requests about the connection. */
export const sessionMethods = {
  initialize: {
    action: 'connect',
    params: initializeParams,
    result: initializeResult,
    description: 'First request of every connection.',
  },
  'rpc.discover': {
    action: 'connect',
    params: z.object({}).nullish(),
    result: z.record(z.string(), z.unknown()).describe('An OpenRPC document.'),
    description: 'Describes the service in OpenRPC.',
    experimental: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of the client about its connection. */
export const sessionClientNotifications = {
  initialized: {
    params: z.object({}).nullish(),
    description: 'The client has read the reply to `initialize`. Needs no action.',
  },
} as const;

/** Notifications of the server about the connection. */
export const sessionServerNotifications = {
  'server/draining': {
    params: z.object({ deadlineMs: z.number().describe('Milliseconds until commands that still run are ended.') }),
    description: 'The server drains: finish here, and start new work on another server.',
  },
  'server/heartbeat': {
    params: z.object({}),
    description: 'Sent at the interval asked for in `initialize`, for balancers that ignore WebSocket pings.',
  },
  'server/authExpiring': {
    params: z.object({ expiresInMs: z.number().describe('Milliseconds until the connection is closed with 1008.') }),
    description: 'The token of this connection is about to expire.',
  },
} as const;
