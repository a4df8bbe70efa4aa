/** Questions to the user. Knows no feature. */
import type { Question } from './ui.js';

/** Asks a question. @returns whether the answer is yes */
export async function ask({ title, text }: Question): Promise<boolean> {
  return window.confirm(`${title}\n${text}`);
}
