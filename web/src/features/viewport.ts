/**
 * Keeps the page as high as what is seen of it: on some phones the keyboard covers the page in place of making it smaller, and with it the key bar. Knows
 * no terminal.
 */

/** For the life of the page. */
export function followViewport(): void {
  const { visualViewport } = window;
  visualViewport?.addEventListener('resize', () => {
    // The user has enlarged the page to look at a part of it.
    if (visualViewport.scale !== 1) return;
    document.documentElement.style.setProperty('--viewport-height', `${visualViewport.height}px`);
    // The page was moved to show the field that is typed into.
    window.scrollTo(0, 0);
  });
}
