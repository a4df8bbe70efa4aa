// Owns what must be undone, in reverse order, once: at the end, on a failure and on a signal. Knows nothing of what the steps do.

/** @type {{ name: string, undo: () => unknown }[]} */
const undos = [];
/** @type {Promise<void> | undefined} */
let undoing;

/**
 * Registers something to be undone; the last one registered runs first.
 * @param {string} name for the message when undoing fails
 * @param {() => unknown} undo may be async; a failure is reported and does not stop the others
 */
export function onCleanup(name, undo) {
  undos.push({ name, undo });
}

/** Undoes everything registered so far; a second call waits for the first. */
export function cleanUp() {
  undoing ??= undoAll();
  return undoing;
}

/** Call it before a program is started: a run that was signalled goes on until its process exits, and would not end that program. @throws {Error} */
export function refuseWhileUndoing() {
  if (undoing !== undefined) throw new Error('the run is being undone: nothing is started any more');
}

async function undoAll() {
  while (undos.length > 0) {
    const { name, undo } = undos.pop();
    try {
      await undo();
    } catch (error) {
      console.error(`cleanup: ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/**
 * INT, TERM and HUP clean up and exit with 128 + the signal's number.
 * @param {() => Promise<void>} [before] what must end first
 */
export function cleanUpOnSignals(before = async () => {}) {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.once(signal, () => {
      // Neither of the two rejects.
      void before()
        .then(cleanUp)
        .then(() => process.exit(code));
    });
  }
}
