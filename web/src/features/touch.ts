/** Fingers on a terminal: one scrolls, and two make the letters larger or smaller. xterm.js itself knows only the mouse. */
import type { Terminal } from '@xterm/xterm';
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
  /** Pixels that the finger has moved, and that are less than a line. */
  let rest = 0;
  let pinch: { readonly distance: number; readonly fontSize: number } | undefined;

  surface.addEventListener('touchstart', ({ touches }) => {
    const [one, two] = touches;
    isScrolling = false;
    rest = 0;
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
      if (lastY === undefined || isMovedAbout(surface)) return;
      const moved = lastY - one.clientY;
      if (!isScrolling && Math.abs(moved) < TAP_PIXELS) return;
      isScrolling = true;
      lastY = one.clientY;
      // The page stays where it is, and no mouse events follow.
      event.preventDefault();
      rest = scroll(view.xterm, { touch: one, pixels: rest + moved });
    },
    { passive: false },
  );
  surface.addEventListener('touchend', ({ touches }) => {
    if (touches.length < 2) pinch = undefined;
    lastY = undefined;
  });
}

/** Whether the screen is larger than its place, so that the browser moves it. */
function isMovedAbout(surface: HTMLElement): boolean {
  return surface.closest('.fixed') !== null;
}

function distanceOf(one: Touch, other: Touch): number {
  return Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
}

/** Scrolls by whole lines. @returns the pixels that are left over */
function scroll(xterm: Terminal, { touch, pixels }: { readonly touch: Touch; readonly pixels: number }): number {
  const height = xterm.element?.querySelector('.xterm-screen')?.clientHeight ?? 0;
  const lineHeight = Math.max(1, height / xterm.rows);
  const lines = Math.trunc(pixels / lineHeight);
  if (xterm.buffer.active.type === 'normal' && xterm.modes.mouseTrackingMode === 'none') xterm.scrollLines(lines);
  else turnWheel(touch, lines);
  return pixels - lines * lineHeight;
}

/** xterm.js sends an arrow key for each turn to a program that has the whole screen, or tells the one that wants the mouse. */
function turnWheel({ clientX, clientY, target }: Touch, lines: number): void {
  const turn = {
    deltaY: Math.sign(lines),
    deltaMode: WheelEvent.DOM_DELTA_LINE,
    clientX,
    clientY,
    bubbles: true,
    cancelable: true,
  };
  for (let turned = 0; turned < Math.abs(lines); turned += 1) target.dispatchEvent(new WheelEvent('wheel', turn));
}
