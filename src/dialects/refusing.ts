/** The one place where handlers of any dialect have their errors turned into those of its wire. Knows no dialect. */

type AnyHandler = (params: never, caller: never, call: never) => unknown;
/** Returns the wire's error, or an unexpected error unchanged, which the connection answers as an inner error. */
export type Translate = (error: unknown) => unknown;

/** The same handlers, with their errors translated, also those of promises. */
export function refusing<T extends Readonly<Record<string, AnyHandler>>>(handlers: T, translate: Translate): T {
  const wrapped = Object.entries(handlers).map(([name, handler]) => [name, refusingOne(handler, translate)]);
  return Object.fromEntries(wrapped) as T;
}

function refusingOne(handler: AnyHandler, translate: Translate): AnyHandler {
  const refuse = (error: unknown): never => {
    throw translate(error);
  };
  return (params, caller, call) => {
    try {
      const result = handler(params, caller, call);
      return result instanceof Promise ? result.catch(refuse) : result;
    } catch (error) {
      return refuse(error);
    }
  };
}
