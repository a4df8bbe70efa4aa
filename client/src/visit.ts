/** A short visit to a detachable command on an open session: as an observer, for one thing to be done. Knows no output. */
import { fieldOf } from './errors.js';
import type { CommandListener, Session } from './session.js';
import type { AttachParams, Notifications } from './wire.js';

/** Least that a visitor may ask for: it wants no output. */
const VISITOR_WINDOW_BYTES = 1;

type Screen = Notifications['command/exec/screen'];

/** A picture of a terminal's screen. @throws {RpcError} such as `keyNotFound` */
export function screenOf(session: Session, key: string): Promise<Screen> {
  return visit<Screen>(session, { key, screen: true }, (_processId, leave) => ({ onScreen: leave }));
}

/** Sends a request about a command; one that has ended already gets none. @throws {RpcError} such as `keyNotFound` */
export async function requestOf(session: Session, key: string, method: string, params: object): Promise<void> {
  await visit<void>(session, { key, window: { bytes: VISITOR_WINDOW_BYTES } }, (processId, leave, fail) => ({
    onAttached: () =>
      void session.request(method, { processId, ...params }).then(
        () => leave(),
        // It ended before the request came.
        (error: unknown) => (fieldOf(error, 'reason') === 'processNotFound' ? leave() : fail(error)),
      ),
    onEnded: leave,
  }));
}

interface Visitor {
  readonly onScreen?: (screen: Screen) => void;
  readonly onAttached?: () => void;
  /** The command has ended, or ends during the visit. */
  readonly onEnded?: () => void;
}

async function visit<T>(
  session: Session,
  params: Omit<AttachParams, 'processId' | 'role'>,
  visitorOf: (processId: string, leave: (found: T) => void, fail: (error: unknown) => void) => Visitor,
): Promise<T> {
  let visitor: Visitor = {};
  const ignore = (): void => {};
  const listener: CommandListener = {
    onOutput: ignore,
    onGap: ignore,
    onDetached: ignore,
    onAttached: () => visitor.onAttached?.(),
    onScreen: (screen) => visitor.onScreen?.(screen),
  };
  const processId = session.claim(listener);
  let isOver = false;
  try {
    return await new Promise<T>((resolve, reject) => {
      visitor = visitorOf(processId, resolve, reject);
      session.request('command/exec/attach', { processId, role: 'observer', ...params }).then(
        () => {
          isOver = true;
          visitor.onEnded?.();
          reject(new Error('The command has ended'));
        },
        (error: unknown) => {
          isOver = true;
          reject(error);
        },
      );
    });
  } finally {
    session.release(processId);
    if (!isOver) session.request('command/exec/detach', { processId }).catch(ignore);
  }
}
