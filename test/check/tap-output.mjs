// Reads what tap prints (TAP version 14, one subtest a file) and counts the tests of each file. Knows nothing of how tap is run.
//
// Depth 0 is a file, depth 1 a test of that file, deeper ones are its assertions. A file that fails although none of its tests did
// (it crashed, it hangs, its plan is wrong) counts as one failed test.

const POINT = /^( *)(not ok|ok)(?: (\d+))?(?: - (.*?))?$/;
const DIRECTIVE = / # (SKIP|TODO)\S*\s*(.*)$/i;
const TIME = / # time=([\d.]+)ms/;
const INDENT = 4;
/** Lines shown of one file's failures. Further ones mostly repeat the first. */
const MAX_SHOWN_LINES = 120;

/**
 * @typedef {object} FileResult
 * @property {string} name
 * @property {number} passed
 * @property {number} failed
 * @property {{name: string, reason: string}[]} skipped
 * @property {string[]} details lines about what failed
 * @property {number} ms
 */

/** @param {string} description the text after the number of a test point */
function splitDescription(description) {
  const directive = DIRECTIVE.exec(description);
  const name = description.replace(DIRECTIVE, '').replace(TIME, '').replace(/ \{$/, '').trim();
  return { name, skipReason: directive === null ? undefined : directive[2] || directive[1].toLowerCase() };
}

/** Takes the lines of one run and reports each file when it has ended. */
export class TapOutput {
  #onFile;
  /** @type {string | undefined} end of the YAML block that the lines are in */
  #blockEnd;
  #showsBlock = false;
  #file = emptyFile();
  /** Skip reasons of the assertions of the test at hand, and how many assertions it has. */
  #skips = [];
  #points = 0;

  /** @param {(file: FileResult) => void} onFile */
  constructor(onFile) {
    this.#onFile = onFile;
  }

  /** @param {string} line */
  push(line) {
    if (this.#blockEnd !== undefined) {
      if (line === this.#blockEnd) this.#blockEnd = undefined;
      else if (this.#showsBlock) this.#show(line);
      return;
    }
    const block = /^( *)---$/.exec(line);
    if (block !== null) this.#blockEnd = `${block[1]}...`;
    const point = POINT.exec(line);
    if (point === null) return;
    const depth = point[1].length / INDENT;
    const ok = point[2] === 'ok';
    const description = point[4] ?? '';
    if (depth === 0) this.#endFile(ok, description);
    else if (depth === 1) this.#endTest(ok, description);
    else if (Number.isInteger(depth)) this.#countAssertion(ok, description);
    if (!ok && depth >= 1 && !DIRECTIVE.test(description)) {
      this.#show(line);
      this.#showsBlock = true;
    } else this.#showsBlock = false;
  }

  #show(line) {
    const { details } = this.#file;
    if (details.length < MAX_SHOWN_LINES) details.push(line);
    else if (details.length === MAX_SHOWN_LINES) details.push('    …');
  }

  #countAssertion(_ok, description) {
    this.#points += 1;
    const { skipReason, name } = splitDescription(description);
    if (skipReason !== undefined) this.#skips.push(skipReason === 'skip' ? name : skipReason);
  }

  #endTest(ok, description) {
    const { name, skipReason } = splitDescription(description);
    const onlySkips = this.#points > 0 && this.#skips.length === this.#points;
    const reason = skipReason ?? (onlySkips ? this.#skips[0] : undefined);
    this.#skips = [];
    this.#points = 0;
    if (reason !== undefined) this.#file.skipped.push({ name, reason });
    else if (ok) this.#file.passed += 1;
    else this.#file.failed += 1;
  }

  #endFile(ok, description) {
    const file = this.#file;
    const { name, skipReason } = splitDescription(description);
    file.name = name;
    file.ms = Number(TIME.exec(description)?.[1] ?? 0);
    if (skipReason !== undefined) file.skipped.push({ name, reason: skipReason });
    else if (!ok && file.failed === 0) {
      file.failed = 1;
      file.details.push(
        '    the file failed although none of its tests did: it crashed, or was ended before it was done',
      );
    }
    this.#file = emptyFile();
    this.#skips = [];
    this.#points = 0;
    this.#onFile(file);
  }
}

/** @returns {FileResult} */
function emptyFile() {
  return { name: '', passed: 0, failed: 0, skipped: [], details: [], ms: 0 };
}
