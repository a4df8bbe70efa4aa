/** What a feature may use of the page beside its terminal. Knows no feature. */
import type { Box } from '../../client/src/browser.js';
import type { Settings } from './settings.js';

/** A question with two answers. */
export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the question is about, word for word, such as the text of a paste. */
  readonly detail?: string;
  readonly yes: string;
  readonly no: string;
}

/** The server behind the page. */
export interface PageServer {
  /** The connection; undefined while there is none. */
  box(): Box | undefined;
  /** Address that `files/PATH` is relative to; ends with `/`. */
  readonly httpBase: URL;
  readonly token: () => string | undefined;
}

/** The page. */
export interface Ui {
  /** Asks in a dialog; false also when it is closed. */
  ask(question: Question): Promise<boolean>;
  /** Tells the user, also by screen reader. */
  notify(text: string): void;
  readonly settings: Settings;
  readonly server: PageServer;
  /** Place for buttons that belong to the whole page. */
  readonly toolbar: HTMLElement;
}
