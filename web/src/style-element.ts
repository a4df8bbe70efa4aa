/**
 * Stands in for the `<style>` elements that xterm.js makes: its rules are a constructed style sheet, because the page's policy allows no inline style.
 * The build puts it into xterm.js. Knows nothing of xterm.js.
 */

/** Has the rules of its text in force while it is part of the page. */
class StyleElement extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();
  #text = '';

  override get textContent(): string {
    return this.#text;
  }

  override set textContent(text: string | null) {
    this.#text = text ?? '';
    this.#sheet.replaceSync(this.#text);
  }

  connectedCallback(): void {
    document.adoptedStyleSheets.push(this.#sheet);
  }

  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }
}

customElements.define('execwire-style', StyleElement);

/** An element to set the text of, and to put into the page. */
export function styleElement(): HTMLElement {
  return new StyleElement();
}
