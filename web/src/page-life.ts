/** Tells when the page is left, hidden, and comes back: by reload, by the back button, by sleep and by a network that is there again. */

/** What is told. */
export interface PageLife {
  /** The page goes: to a reload, or into the memory of the back button. Everything must be done when this returns. */
  onLeave(): void;
  /** The page comes out of the memory of the back button. */
  onReturn(): void;
  /** The page is hidden. A phone may end it now without a further word. */
  onHidden(): void;
  /** The machine or its network may have been away. */
  onAwake(): void;
  /** The browser says that there is no network. */
  onOffline(): void;
}

/** Listens. */
export function watchPageLife(life: PageLife): void {
  window.addEventListener('pagehide', () => life.onLeave());
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) life.onReturn();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) life.onHidden();
    else life.onAwake();
  });
  window.addEventListener('online', () => life.onAwake());
  window.addEventListener('offline', () => life.onOffline());
}
