/** Files that are dropped on a terminal, pasted or chosen: they are uploaded, and their paths typed. Knows not how a file comes to the server. */
import { textOf } from '../command-fate.js';
import { button, element } from '../element.js';
import type { TerminalView } from '../terminal-view.js';
import type { Ui } from '../ui.js';
import { mayType } from './may-type.js';
import { pastedName, shellQuote } from './remote-path.js';
import { sendPaste } from './send-paste.js';
import type { ToolBar } from './tool-bar.js';
import { uploadFile } from './upload-file.js';

/** Adds the button and the place to drop on. @returns takes files that come another way */
export function addUploads(view: TerminalView, ui: Ui, tools: ToolBar): (files: readonly File[]) => void {
  const upload = (files: readonly File[]): void => {
    if (files.length > 0 && mayType(view)) void uploadAll(view, ui, files);
  };
  const chooser = element('input', { type: 'file', multiple: true, hidden: true, 'aria-label': 'Files to upload' });
  chooser.addEventListener('change', () => {
    upload([...(chooser.files ?? [])]);
    // The same file may be chosen again.
    chooser.value = '';
  });
  view.element.append(chooser);
  tools.add({
    label: 'Upload',
    title: 'Upload files and type their paths; dropping or pasting them does it, too',
    run: () => {
      if (mayType(view)) chooser.click();
    },
  });
  addDropping(view, upload);
  return upload;
}

function addDropping(view: TerminalView, upload: (files: readonly File[]) => void): void {
  const { element: panel } = view;
  const mark = (isOver: boolean): void => {
    panel.classList.toggle('takes-drop', isOver);
  };
  panel.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files') !== true) return;
    // Without it the browser opens the file in place of the page.
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
    mark(true);
  });
  panel.addEventListener('dragleave', (event) => {
    if (!(event.relatedTarget instanceof Node) || !panel.contains(event.relatedTarget)) mark(false);
  });
  panel.addEventListener('drop', (event) => {
    mark(false);
    const items = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === 'file');
    if (items.length === 0) return;
    event.preventDefault();
    const folders = items.filter((item) => item.webkitGetAsEntry()?.isDirectory === true);
    if (folders.length > 0) view.notify('Folders cannot be dropped. Pack them into one file, or use "execwire cp".');
    upload(items.filter((item) => !folders.includes(item)).flatMap((item) => item.getAsFile() ?? []));
  });
}

/** One behind the other, and typed in the end, so that one paste has all paths in their order. */
async function uploadAll(view: TerminalView, ui: Ui, files: readonly File[]): Promise<void> {
  const ending = new AbortController();
  const progress = element('progress', { 'aria-label': 'Upload' });
  const text = element('span', { class: 'upload-text' });
  const cancel = button('Cancel', () => ending.abort(new Error('cancelled')));
  const row = element('div', { class: 'upload' }, [text, progress, cancel]);
  view.element.append(row);
  view.refit();
  view.onDispose(() => ending.abort(new Error('the terminal was closed')));

  const paths: string[] = [];
  for (const [index, given] of files.entries()) {
    const file =
      given.name === '' ? new File([given], pastedName(given.type, new Date()), { type: given.type }) : given;
    const which = files.length === 1 ? '' : ` (${index + 1} of ${files.length})`;
    text.textContent = `Uploading ${file.name}${which}`;
    progress.max = Math.max(1, file.size);
    progress.value = 0;
    const onProgress = (bytes: number): void => {
      progress.value = bytes;
    };
    try {
      paths.push(await uploadFile(ui.server, file, { signal: ending.signal, onProgress }));
    } catch (error) {
      view.notify(`${file.name} was not uploaded: ${textOf(error)}`);
      if (ending.signal.aborted) break;
    }
  }
  row.remove();
  view.refit();
  if (paths.length === 0 || !mayType(view)) return;
  sendPaste(view, `${paths.map(shellQuote).join(' ')} `);
  view.focus();
  view.notify(
    paths.length === 1 ? `Uploaded to ${paths[0]}` : `Uploaded ${paths.length} files; their paths are typed.`,
  );
}
