/** The features of a terminal and of the page, in their order. */
import type { TerminalView } from '../terminal-view.js';
import type { Ui } from '../ui.js';

/** Adds all features to a terminal that is on the page. */
export function addFeatures(_view: TerminalView, _ui: Ui): void {}

/** Adds what the page has once. */
export function addPageFeatures(_ui: Ui): void {}
