/** Follows which modes of the local terminal a remote program has switched on, so that they can be switched off when it is left. Knows no terminal. */

/** Private modes that make a terminal unusable for a shell: what they are is in ctlseqs.txt of xterm. */
const FOLLOWED = new Set([
  '1',
  '9',
  '47',
  '66',
  '1000',
  '1002',
  '1003',
  '1004',
  '1005',
  '1006',
  '1015',
  '1047',
  '1049',
  '2004',
]);
/** The cursor, whose mode is on by default: programs switch this one off, and the others on. */
const CURSOR = '25';
/** Longest beginning of a sequence that is kept from the end of a piece, in characters. */
const MAX_UNFINISHED = 64;
const ESC = '\u001b';
const SEQUENCE = new RegExp(`${ESC}(?:\\[\\?([\\d;]+)([hl])|([=>c])|(\\[!p))`, 'g');
/** An escape sequence whose end may be in the next piece. */
const UNFINISHED = new RegExp(`${ESC}(?:\\[[?!]?[\\d;]*)?$`);

/** The modes that are on. */
export class TerminalModes {
  readonly #on = new Set<string>();
  #isCursorHidden = false;
  #hasKeypad = false;
  #unfinished = '';

  /** Takes output on its way to the terminal. */
  follow(bytes: Uint8Array): void {
    // Escape sequences are ASCII.
    const text = this.#unfinished + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    for (const [, modes = '', end, single, softReset] of text.matchAll(SEQUENCE)) {
      for (const mode of modes.split(';')) this.#set(mode, end === 'h');
      if (single === '=' || single === '>') this.#hasKeypad = single === '=';
      if (single === 'c' || softReset !== undefined) this.#reset();
    }
    const [rest = ''] = UNFINISHED.exec(text) ?? [];
    this.#unfinished = rest.length <= MAX_UNFINISHED ? rest : '';
  }

  /** What switches all of them off; empty when none is on. */
  offSequence(): string {
    const modes = [...this.#on].map((mode) => `${ESC}[?${mode}l`).join('');
    const hasColours = this.#on.size > 0 || this.#isCursorHidden;
    const off = `${modes}${this.#isCursorHidden ? `${ESC}[?25h` : ''}${this.#hasKeypad ? `${ESC}>` : ''}${hasColours ? `${ESC}[0m` : ''}`;
    this.#reset();
    return off;
  }

  #set(mode: string, isOn: boolean): void {
    if (mode === CURSOR) this.#isCursorHidden = !isOn;
    else if (FOLLOWED.has(mode)) this.#on[isOn ? 'add' : 'delete'](mode);
  }

  #reset(): void {
    this.#on.clear();
    this.#isCursorHidden = false;
    this.#hasKeypad = false;
  }
}
