// Shows that every export of the client has an example in its documentation, that each example fits the built types, and that each prints what it says. Knows no example.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { format } from 'node:util';
import { transform } from 'esbuild';
import t from 'tap';
import ts from 'typescript';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';

const CLIENT = resolve(import.meta.dirname, '../../client');
const ENTRY = join(CLIENT, 'src/node.ts');
const BUILT = join(CLIENT, 'dist/node.js');
/** The address of the server in the examples. */
const DOCUMENTED_URL = 'ws://127.0.0.1:4500';
/** Declares `box`, which examples may use without an import, as they may use `connect`. */
const BOX_DECLARATION = "import type { Box } from 'execwire-client';\ndeclare global { var box: Box; }\n";

/** Adds the import of `connect` to an example that leaves it out. */
function wholeOf(code: string): string {
  const lacksImport = /\bconnect\(/.test(code) && !/import .*\bconnect\b/.test(code);
  return lacksImport ? `import { connect } from 'execwire-client';\n${code}` : code;
}

interface Example {
  readonly name: string;
  readonly code: string;
  /** Lines that the example says it prints. */
  readonly printed: readonly string[];
}

/** The lines that an example says it prints, from the comments after its calls of `console.log`. `, then ` separates several lines of one call. */
function printedBy(code: string): string[] {
  const said = code.split('\n').flatMap((line) => /console\.log\(.*\).*?\/\/ (.*)$/.exec(line)?.[1] ?? []);
  return said.flatMap((text) => text.split(', then '));
}

const program = ts.createProgram([ENTRY], {
  ...ts.getDefaultCompilerOptions(),
  module: ts.ModuleKind.NodeNext,
  types: ['node'],
});
const checker = program.getTypeChecker();
const source = program.getSourceFile(ENTRY);
const moduleSymbol = source === undefined ? undefined : checker.getSymbolAtLocation(source);
const exported = (moduleSymbol === undefined ? [] : checker.getExportsOfModule(moduleSymbol)).map((symbol) => {
  const original = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const tags = original.getJsDocTags(checker).filter(({ name }) => name === 'example');
  const codes = tags.map(({ text }) => ts.displayPartsToString(text));
  return { name: symbol.name, description: ts.displayPartsToString(original.getDocumentationComment(checker)), codes };
});
/** Examples of methods. A method may have none. */
const ofMembers = (moduleSymbol === undefined ? [] : checker.getExportsOfModule(moduleSymbol)).flatMap((symbol) => {
  const original = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  if ((original.flags & ts.SymbolFlags.Class) === 0) return [];
  return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(original)).flatMap((member) => {
    const tags = member.getJsDocTags(checker).filter(({ name }) => name === 'example');
    const codes = tags.map(({ text }) => ts.displayPartsToString(text));
    return codes.length === 0 ? [] : [{ name: `${symbol.name} ${member.name}`, codes }];
  });
});
const examples: Example[] = [...exported, ...ofMembers].flatMap(({ name, codes }) =>
  codes.map((code, at) => ({ name: codes.length > 1 ? `${name} ${at + 1}` : name, code, printed: printedBy(code) })),
);

t.test('every export has a description and an example', (t) => {
  t.ok(exported.length > 30, `${exported.length} exports`);
  t.same(
    exported.filter(({ description, codes }) => description === '' || codes.length === 0).map(({ name }) => name),
    [],
  );
  t.end();
});

t.test('examples fit the types of the built package when only a box is declared for them', (t) => {
  const folder = t.testdir({ 'box.d.ts': BOX_DECLARATION });
  const files = examples.map(({ name, code }) => {
    const file = join(folder, `${name.replaceAll(' ', '-')}.mts`);
    writeFileSync(file, `${wholeOf(code)}\nexport {};\n`);
    return file;
  });
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
  };
  const checked = ts.createProgram([join(folder, 'box.d.ts'), ...files], options);
  const problems = ts.getPreEmitDiagnostics(checked).map(({ file, messageText }) => {
    return `${file?.fileName.replace(folder, '')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  t.same(problems, []);
  t.end();
});

t.test('examples print the lines that they promise when they run against a server', async (t) => {
  // Descriptors are not compared at the end, because the server keeps the threads of sandboxes.
  const server = await startServer(t, { warm: false });
  const folder = join(t.testdir(), 'examples');
  mkdirSync(folder);
  // The box is of the built package, because examples compare its errors with the classes of that package.
  const { connect } = (await import(BUILT)) as typeof import('../../client/src/node.js');
  const box = await connect(server.url, { name: 'examples' });
  t.teardown(() => box.close());
  (globalThis as { box?: unknown }).box = box;
  t.teardown(() => {
    delete (globalThis as { box?: unknown }).box;
  });
  for (const [at, { name, code, printed }] of examples.entries()) {
    const { code: runnable } = await transform(wholeOf(code).replaceAll(DOCUMENTED_URL, server.url), {
      loader: 'ts',
      format: 'esm',
      target: 'node20',
    });
    const file = join(folder, `${at}.mjs`);
    writeFileSync(file, runnable);
    const lines: string[] = [];
    const stop = t.intercept(console, 'log', {
      value: (...words: unknown[]) => lines.push(...format(...words).split('\n')),
    });
    try {
      await import(file);
    } catch (error) {
      t.fail(`${name}: ${(error as Error).stack}`);
    } finally {
      stop.restore();
    }
    t.same(lines, printed, name);
    // The next example may list what runs, and the commands of a closed box end a moment after it.
    await until('no command is left', async () => (await box.list()).every(({ state }) => state === 'ended'));
  }
});
