/** Fingers on a terminal: one scrolls, as a wheel does, and two make the letters larger or smaller. xterm.js itself knows only the mouse. */
import type { Settings } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';
import { changeFontSize } from './appearance.js';

/** A finger that moves less only taps. CSS pixels. */
const TAP_PIXELS = 6;

/** Adds both. */
export function addTouch(view: TerminalView, settings: Settings): void {
  const { element: surface } = view.xterm;
  if (surface === undefined) return;
  let lastY: number | undefined;
  let isScrolling = false;
  let pinch: { readonly distance: number; readonly fontSize: number } | undefined;

  surface.addEventListener('touchstart', ({ touches }) => {
    const [one, two] = touches;
    isScrolling = false;
    lastY = two === undefined ? one?.clientY : undefined;
    pinch =
      one === undefined || two === undefined
        ? undefined
        : { distance: distanceOf(one, two), fontSize: settings.get('fontSize') };
  });
  surface.addEventListener(
    'touchmove',
    (event) => {
      const [one, two] = event.touches;
      if (one === undefined) return;
      if (two !== undefined && pinch !== undefined) {
        event.preventDefault();
        changeFontSize(settings, (pinch.fontSize * distanceOf(one, two)) / pinch.distance);
        return;
      }
      if (lastY === undefined) return;
      const moved = lastY - one.clientY;
      if (!isScrolling && Math.abs(moved) < TAP_PIXELS) return;
      isScrolling = true;
      lastY = one.clientY;
      // The page stays where it is, and no mouse events follow.
      event.preventDefault();
      turnWheel(event.target, one, moved);
    },
    { passive: false },
  );
  surface.addEventListener('touchend', ({ touches }) => {
    if (touches.length < 2) pinch = undefined;
    lastY = undefined;
  });
}

function distanceOf(one: Touch, other: Touch): number {
  return Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
}

/** xterm.js knows what a wheel does: it scrolls, sends arrow keys, or tells a program that wants the mouse. */
function turnWheel(target: EventTarget | null, { clientX, clientY }: Touch, deltaY: number): void {
  target?.dispatchEvent(new WheelEvent('wheel', { deltaY, clientX, clientY, bubbles: true, cancelable: true }));
}
