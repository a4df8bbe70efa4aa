/**
 * Draws a terminal by WebGL where that is quick, and otherwise leaves it to xterm's own drawing by elements. Browsers give a page some sixteen contexts of
 * WebGL, so only a terminal that shows has one. Knows not what is drawn.
 */
import type { WebglAddon } from '@xterm/addon-webgl';
import type { Settings } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';

/** Adds it. */
export function addRenderer(view: TerminalView, settings: Settings): void {
  let drawing: WebglAddon | undefined;
  let isShown = false;
  let isDisposed = false;
  let hasLostContext = false;

  const leave = (): void => {
    drawing?.dispose();
    drawing = undefined;
    view.element.dataset.renderer = 'dom';
  };
  const apply = async (): Promise<void> => {
    const isWanted = (): boolean => isShown && !isDisposed && !hasLostContext && wantsWebGl(settings);
    if (!isWanted()) {
      leave();
      return;
    }
    if (drawing !== undefined) return;
    // Loaded only where it is used, because it is a third of the page.
    const { WebglAddon: Drawing } = await import('@xterm/addon-webgl');
    // The tab may have been left meanwhile.
    if (!isWanted() || drawing !== undefined) return;
    const addon = new Drawing();
    addon.onContextLoss(() => {
      // A driver that has failed once fails again: the terminal stays with elements until the page is loaded anew.
      hasLostContext = true;
      leave();
    });
    try {
      view.xterm.loadAddon(addon);
      drawing = addon;
      view.element.dataset.renderer = 'webgl';
    } catch {
      hasLostContext = true;
      addon.dispose();
      leave();
    }
  };

  leave();
  const watcher = new IntersectionObserver((entries) => {
    isShown = entries.at(-1)?.isIntersecting === true;
    void apply();
  });
  watcher.observe(view.element);
  const stop = settings.onChange((name) => {
    if (name === 'renderer') void apply();
  });
  view.onDispose(() => {
    isDisposed = true;
    watcher.disconnect();
    stop();
    leave();
  });
}

let isQuick: boolean | undefined;

function wantsWebGl(settings: Settings): boolean {
  const wanted = settings.get('renderer');
  if (wanted !== 'auto') return wanted === 'webgl';
  isQuick ??= hasQuickWebGl();
  return isQuick;
}

/** Renderers that the processor computes, which is slower than elements. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

function hasQuickWebGl(): boolean {
  const context = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (context === null) return false;
  const info = context.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(context.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !SOFTWARE.test(renderer);
}
