/**
 * Rules for the source files of the project: which file may import which, by dependency-cruiser and `.dependency-cruiser.mjs`, and what a file shows
 * by itself: its name, its first comment, its length, and whether it reads the environment. Knows no file of the project.
 */
import { fileURLToPath } from 'node:url';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import ts from 'typescript';

const RULES = fileURLToPath(new URL('../../.dependency-cruiser.mjs', import.meta.url));
/** The folders of sources. */
export const SOURCE_FOLDERS = ['src', 'plugins', 'routes', 'client', 'web'];
const MAY_READ_ENVIRONMENT = /^src\/(config\/|process\/(environment|thread-pool)\.ts$)/;
const NAMES_THAT_SAY_NOTHING = /(^|\/)(index|utils?|helpers?|common)(\/|\.ts$)/;
const FIRST_COMMENT = /^(?:#!.*\n)?(\/\*\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/;
/** A file over this says in its first comment `Long because …`. */
const LONGEST_FILE_LINES = 300;

/** One import that a rule forbids. */
export interface Breach {
  readonly file: string;
  /** Name of the rule in `.dependency-cruiser.mjs`. */
  readonly rule: string;
  /** The imported file, or the package. */
  readonly imports: string;
}

/** Every breach in the source folders below `root`, and how many files were looked at. */
export async function importBreaches(root: string): Promise<{ breaches: Breach[]; files: number }> {
  const options = await extractOptions(RULES);
  const { output } = await cruise([...SOURCE_FOLDERS], { ...options, baseDir: root });
  const { modules, summary } = output as ICruiseResult;
  const breaches = summary.violations.map(({ from, to, rule }) => ({ file: from, rule: rule.name, imports: to }));
  return { breaches, files: modules.length };
}

/** The rules that a file breaks by itself, one sentence each. @param path from the project's root, such as `src/rpc/codec.ts` */
export function fileProblems(path: string, source: string): string[] {
  const firstComment = FIRST_COMMENT.exec(source)?.[1];
  const lines = source.trimEnd().split('\n').length;
  const isLong = lines > LONGEST_FILE_LINES && !/\blong because\b/i.test(firstComment ?? '');
  return [
    ...(NAMES_THAT_SAY_NOTHING.test(path) ? [`${path} has a name that says nothing`] : []),
    ...(firstComment === undefined ? [`${path} does not begin with a comment on what it owns`] : []),
    ...(isLong ? [`${path} has ${lines} lines, and its first comment does not say "Long because …"`] : []),
    ...(readsEnvironment(source) && !MAY_READ_ENVIRONMENT.test(path) ? [`${path} reads process.env`] : []),
  ];
}

/** Whether a program uses `env` of the global `process`, in any spelling. */
function readsEnvironment(source: string): boolean {
  const isProcess = (node: ts.Node | undefined): boolean =>
    node !== undefined &&
    ((ts.isIdentifier(node) && node.text === 'process') ||
      (ts.isPropertyAccessExpression(node) &&
        node.name.text === 'process' &&
        node.expression.getText() === 'globalThis'));
  const reads = (node: ts.Node): boolean => {
    if (ts.isPropertyAccessExpression(node) && node.name.text === 'env' && isProcess(node.expression)) return true;
    if (ts.isElementAccessExpression(node) && isProcess(node.expression)) return true;
    if (ts.isVariableDeclaration(node) && isProcess(node.initializer) && ts.isObjectBindingPattern(node.name)) {
      return node.name.elements.some(({ name, propertyName }) => (propertyName ?? name).getText() === 'env');
    }
    return ts.forEachChild(node, (child) => reads(child) || undefined) ?? false;
  };
  // Parsing all files takes a second. A file without the word cannot read the environment.
  return (
    /\benv\b|process\s*\[/.test(source) && reads(ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest, true))
  );
}
