/** The features of a terminal and of the page, in their order. */
import { button } from '../element.js';
import type { TerminalView } from '../terminal-view.js';
import type { Ui } from '../ui.js';
import { addAppearance, addPageLooks, changeFontSize } from './appearance.js';
import { showAppearance } from './appearance-dialog.js';
import { addClipboardConsent } from './clipboard-consent.js';
import { addCopy } from './copy.js';
import { addHelp } from './help.js';
import { addKeyBar } from './key-bar.js';
import { addLinks } from './links.js';
import { addPaste } from './paste.js';
import { addRenderer } from './renderer.js';
import { addScreenReader } from './screen-reader.js';
import { addSearch } from './search-bar.js';
import { Shortcuts } from './shortcuts.js';
import { addTextView } from './text-view.js';
import { addTitleAndBell } from './title-bell.js';
import { ToolBar } from './tool-bar.js';
import { addTouch } from './touch.js';
import { addUploads } from './uploads.js';
import { followViewport } from './viewport.js';

/** Leads out of the terminal. Function keys alone stay with programs, which use them all. */
const WAY_OUT = 'Ctrl+Shift+L';

/** Adds all features to a terminal that is on the page. */
export function addFeatures(view: TerminalView, ui: Ui): void {
  const { settings } = ui;
  const shortcuts = new Shortcuts(view.element);
  const tools = new ToolBar(view.toolbar);
  shortcuts.add({ keys: WAY_OUT, does: 'Leaves the terminal for its buttons', run: () => tools.focus() });

  addCopy(view, tools, shortcuts);
  addPaste(view, { tools, shortcuts, onFiles: (files) => upload(files) });
  const upload = addUploads(view, ui, tools);
  addSearch(view, { tools, shortcuts, settings });
  addTextView(view, tools, shortcuts);
  addAppearance(view, settings, shortcuts);
  const step = (by: number) => (): void => changeFontSize(settings, settings.get('fontSize') + by);
  tools.add({ label: 'Larger', name: 'Larger text', title: 'Larger text (Ctrl+Shift+ArrowUp)', run: step(1) });
  tools.add({ label: 'Smaller', name: 'Smaller text', title: 'Smaller text (Ctrl+Shift+ArrowDown)', run: step(-1) });
  addScreenReader(view, settings, { tools, wayOut: WAY_OUT });
  addHelp(tools, shortcuts);
  addLinks(view);
  addClipboardConsent(view);
  addTitleAndBell(view, settings);
  addTouch(view, settings);
  addKeyBar(view, settings);
  addRenderer(view, settings);
}

/** Adds what the page has once. */
export function addPageFeatures({ settings, toolbar }: Ui): void {
  addPageLooks(settings);
  followViewport();
  toolbar.append(button('Appearance', () => void showAppearance(settings)));
}
