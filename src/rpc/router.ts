/**
 * Finds the handler of a request in one method table. Owns the order of the checks before a handler runs; knows no transport and nothing of what a
 * handler does.
 * @see PROTOCOL "Finer points", order of checks
 */
import { type RpcError, rpcError } from '../protocol/errors.js';
import { MAX_ISSUES } from '../protocol/methods/bounded-values.js';
import { MAX_MESSAGE_BYTES, type MethodDefinition } from '../protocol/methods/method-definition.js';
import type { Call } from './connection.js';

/** What the router must know of the caller. */
export interface Caller {
  readonly initialized: boolean;
  readonly experimentalApi: boolean;
}

interface Route<S extends Caller> {
  readonly definition: MethodDefinition;
  readonly handler: (params: unknown, caller: S, call: Call) => unknown;
}

interface NotificationRoute<S extends Caller> {
  readonly params: MethodDefinition['params'];
  readonly handler: (params: unknown, caller: S) => void;
}

/** A well-formed request on its way to its handler. */
export interface AdmittedCall<S extends Caller> {
  readonly method: string;
  readonly definition: MethodDefinition;
  readonly params: unknown;
  readonly caller: S;
}

/** One handler for every method of a table. A missing handler or an unknown name does not compile. */
export type Handlers<S extends Caller, T extends Record<string, MethodDefinition>> = {
  readonly [M in keyof T]: (params: ReturnType<T[M]['params']['parse']>, caller: S, call: Call) => unknown;
};

/** Characters of the path to a wrong param in a reply. */
const MAX_PATH_LENGTH = 200;
/** The method that must come first on a connection. */
const HANDSHAKE = 'initialize';

/** What must have happened before a request is served: one `initialize`. @returns the refusal */
function refuseByHandshake({ initialized }: Caller, method: string): RpcError | undefined {
  if (method === HANDSHAKE) return initialized ? rpcError('alreadyInitialized') : undefined;
  return initialized ? undefined : rpcError('notInitialized');
}

/** Finds the handler of a request, checks the request, and runs it. */
export class Router<S extends Caller> {
  readonly #routes = new Map<string, Route<S>>();
  readonly #notified = new Map<string, NotificationRoute<S>>();
  readonly #admit: (call: AdmittedCall<S>) => void;
  readonly #refuseEarly: (caller: S, method: string) => RpcError | undefined;

  /**
   * @param admit throws the refusal: the caller may not call this, or the server is draining or full
   * @param refuseEarly returns the refusal of what comes too early, or twice; default: the rules of `initialize`
   */
  constructor(
    admit: (call: AdmittedCall<S>) => void,
    refuseEarly: (caller: S, method: string) => RpcError | undefined = refuseByHandshake,
  ) {
    this.#admit = admit;
    this.#refuseEarly = refuseEarly;
  }

  /** Adds methods with their handlers. @throws {Error} when a name is taken */
  add<T extends Record<string, MethodDefinition>>(definitions: T, handlers: Handlers<S, T>): void {
    for (const [name, definition] of Object.entries(definitions)) {
      if (this.#routes.has(name)) throw new Error(`The method ${name} has a handler already`);
      const handler = handlers[name as keyof T] as Route<S>['handler'];
      this.#routes.set(name, { definition, handler });
    }
  }

  /** The longest message of a method in bytes; also answers for an unknown method. */
  maxBytesOf(method: string | undefined): number {
    const route = method === undefined ? undefined : this.#routes.get(method);
    return route?.definition.maxBytes ?? MAX_MESSAGE_BYTES;
  }

  /** Adds a notification that clients may send, with its handler. */
  onNotification<P extends MethodDefinition['params']>(
    method: string,
    params: P,
    handler: (params: ReturnType<P['parse']>, caller: S) => void,
  ): void {
    this.#notified.set(method, { params, handler: handler as NotificationRoute<S>['handler'] });
  }

  /** Handles a notification. @returns false when it is unknown, malformed or too early; the client is not told, because a notification has no answer */
  notify(caller: S, method: string, params: unknown): boolean {
    const route = this.#notified.get(method);
    if (route === undefined || !caller.initialized) return false;
    const parsed = route.params.safeParse(params ?? {});
    if (parsed.success) route.handler(parsed.data, caller);
    return parsed.success;
  }

  /** Serves one request. @throws {RpcError} the refusal */
  serve(caller: S, call: Call): unknown {
    const { method, params } = call.request;
    const early = this.#refuseEarly(caller, method);
    if (early !== undefined) throw early;
    const route = this.#routes.get(method);
    if (route === undefined) throw rpcError('methodNotFound', { method: method.slice(0, 200) });
    if (!caller.experimentalApi) requireStable(method, route.definition, params);
    const valid = validateParams(route.definition, params);
    this.#admit({ method, definition: route.definition, params: valid, caller });
    return route.handler(valid, caller, call);
  }
}

function requireStable(method: string, definition: MethodDefinition, params: unknown): void {
  if (definition.experimental === true) throw rpcError('experimentalRequired', { feature: method });
  if (definition.experimentalParams === undefined || typeof params !== 'object' || params === null) return;
  for (const field of definition.experimentalParams) {
    const value = (params as Record<string, unknown>)[field];
    if (value !== undefined && value !== null)
      throw rpcError('experimentalRequired', { feature: `${method}.${field}` });
  }
}

function validateParams(definition: MethodDefinition, params: unknown): unknown {
  const parsed = definition.params.safeParse(params ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, MAX_ISSUES).map((issue) => ({
    path: pathText(issue.path),
    message: issue.message,
  }));
  if (definition.wrongParamsAre === 'invalidRequest') {
    throw rpcError('invalidRequest', { detail: faultText(parsed.error.issues[0], params), issues });
  }
  const first = issues[0];
  const where = first === undefined || first.path === '' ? 'params' : first.path;
  throw rpcError('invalidParams', { detail: `${where}: ${first?.message ?? 'wrong'}`, issues });
}

/** A fault in the words of the reference, for which clients look. */
function faultText(
  issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined,
  params: unknown,
): string {
  const [field] = issue?.path ?? [];
  const isMissing =
    issue?.path.length === 1 &&
    !(typeof params === 'object' && params !== null && field !== undefined && field in params);
  if (isMissing) return `missing field \`${pathText([field as PropertyKey])}\``;
  return `${pathText(issue?.path ?? [])}: ${issue?.message ?? 'wrong params'}`;
}

/** The path as text. A part of it may be a name that the client chose, of any length. */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map(String).join('.');
  return text.length <= MAX_PATH_LENGTH ? text : `${text.slice(0, MAX_PATH_LENGTH)}…`;
}
