/**
 * Everything on the wire, in one table each for requests and for the notifications of either side: a zod schema for all params and results.
 * `docs/protocol.md` and the client's types are made from it. Knows nothing of how a method is served.
 */
import type * as z from 'zod';
import { attachClientNotifications, attachMethods, attachServerNotifications } from './methods/attach.js';
import { commandExecMethods, commandExecServerNotifications } from './methods/command-exec.js';
import { fileMethods, fileServerNotifications } from './methods/files.js';
import { processSpawnMethods, processSpawnServerNotifications } from './methods/process-spawn.js';
import { sessionClientNotifications, sessionMethods, sessionServerNotifications } from './methods/session.js';

const { initialize, ...otherSessionMethods } = sessionMethods;

/** Requests a client may send, in the order of the pages. */
export const methods = {
  initialize,
  ...commandExecMethods,
  ...attachMethods,
  ...processSpawnMethods,
  ...fileMethods,
  ...otherSessionMethods,
};

/** Notifications a client may send. They are never answered. */
export const clientNotifications = { ...sessionClientNotifications, ...attachClientNotifications };

/** Notifications the server sends. */
export const serverNotifications = {
  ...commandExecServerNotifications,
  ...attachServerNotifications,
  ...processSpawnServerNotifications,
  ...fileServerNotifications,
  ...sessionServerNotifications,
};

/** Name of a request. */
export type MethodName = keyof typeof methods;
/** Params of a request, as the client writes them. */
export type MethodParams<M extends MethodName> = z.input<(typeof methods)[M]['params']>;
/** Result of a request. */
export type MethodResult<M extends MethodName> = z.output<(typeof methods)[M]['result']>;
