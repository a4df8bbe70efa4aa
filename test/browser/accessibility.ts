/** Runs axe-core in a page, from outside of the page's content policy. Knows no terminal. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The part of axe's report that is read. */
interface Report {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
  }[];
}

/** Every violation of axe's rules, WCAG 2.2 AA and best practices, one a line. Empty if there is none. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Evaluated by the debugger, which no content policy holds; a script element would be refused.
  await page.evaluate(AXE);
  const { violations }: Report = await page.evaluate(() => {
    const axe: { run(context: Document): Promise<Report> } = Reflect.get(globalThis, 'axe');
    return axe.run(document);
  });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ target, failureSummary = '' }) =>
        `${id}: ${help}: ${target.join(' ')}: ${failureSummary.replaceAll('\n', ' ')}`,
    ),
  );
}
