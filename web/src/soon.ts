/**
 * Runs a task soon, also in a page that is hidden: browsers let the timers of such a page run once a second, and later once a minute, and a program whose output
 * waits for them would nearly stand still. The build puts it into xterm.js in place of its timers. Knows nothing of xterm.js.
 */

const tasks: (() => void)[] = [];
const channel = new MessageChannel();
channel.port1.addEventListener('message', () => tasks.shift()?.());
channel.port1.start();

/** Runs a task in a turn of its own. In a page that is seen after a timer, so that the page is drawn and keys come first. */
export function soon(task: () => void): void {
  if (!document.hidden) {
    setTimeout(task);
    return;
  }
  tasks.push(task);
  channel.port2.postMessage(undefined);
}
