/**
 * Builds the page of `/terminal` into a folder: `index.html`, and scripts and styles whose names hold their hash. Knows no server. Makes xterm.js fit for
 * a page whose policy allows no inline style, and that may be hidden.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('.', import.meta.url));

/**
 * What xterm.js does that such a page may not, with what is done instead, and how often it is there. A new version that does it elsewhere fails the
 * build.
 */
const REPLACED = [
  // Output is parsed in slices, with a timer between two, which hidden pages slow down.
  { of: /\bsetTimeout\((?=\(\)=>this\._innerWrite\()/g, by: 'soon(', times: 3 },
  // The elements hold rules that change, and become constructed style sheets.
  { of: /\b[\w.]+\.createElement\("style"\)/g, by: 'styleElement()', times: 3 },
  // The same rules through the object model of styles, which the policy allows.
  {
    of: /(\b\w+)\.setAttribute\("style",`\$\{\1\.getAttribute\("style"\)\|\|""\}\$\{(\w+)\};`\)/g,
    by: (_found, element, rule) => `(${element}.style.cssText+=${rule}+";")`,
    times: 1,
  },
  // Inverse text has the background's colour. Its contrast was measured with the foreground's, which is that of what it stands on, and so it became grey.
  {
    of: /(this\._applyMinimumContrast\(\w+,\w+,)(\w+)\.foreground(,\w+,\w+,\w+\)\|\|)(\w+)&&/g,
    by: '$1$4?$2.background:$2.foreground$3$4&&',
    times: 1,
  },
];

/** What is put in, and where it comes from. */
const PUT_IN = { styleElement: 'src/style-element.ts', soon: 'src/soon.ts' };

const fitXterm = {
  name: 'fit xterm.js',
  setup({ onLoad }) {
    onLoad({ filter: /@xterm\/xterm\/lib\/xterm\.mjs$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      for (const { of, by, times } of REPLACED) {
        const found = contents.match(of)?.length ?? 0;
        if (found !== times) throw new Error(`xterm.js has ${of} ${found} times, and not ${times}`);
        contents = contents.replace(of, by);
      }
      const imports = Object.entries(PUT_IN).map(
        ([name, file]) => `import { ${name} } from ${JSON.stringify(join(folder, file))};`,
      );
      return { contents: `${imports.join('')}${contents}` };
    });
  },
};

/**
 * @param {string} outdir where to
 * @param {{ write?: boolean }} [options] `write: false` only finds out what would be in it
 * @returns {Promise<string[]>} folders of the packages in it
 */
export async function buildPage(outdir, { write = true } = {}) {
  const { metafile } = await build({
    entryPoints: { page: join(folder, 'src/main.ts'), style: join(folder, 'style/main.css') },
    outdir: join(outdir, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    // Browsers of 2022 and newer; xterm.js needs no newer ones.
    target: ['es2022', 'chrome105', 'firefox115', 'safari16.4'],
    write,
    metafile: true,
    logLevel: 'warning',
    legalComments: 'none',
    plugins: [fitXterm],
    tsconfig: join(folder, 'tsconfig.json'),
  });
  if (write) writeDocument(outdir, metafile);
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
  );
  return [...new Set(folders)].sort();
}

/** Writes the document with the names of the built files. */
function writeDocument(outdir, metafile) {
  const nameOf = (entry) => {
    const [path] = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint?.endsWith(entry)) ?? [];
    if (path === undefined) throw new Error(`${entry} was not built`);
    // Relative to `/terminal`, so that the page works below any path.
    return `terminal/${relative(outdir, path)}`;
  };
  const html = readFileSync(join(folder, 'index.html'), 'utf8')
    .replace('SCRIPT', nameOf('src/main.ts'))
    .replace('STYLE', nameOf('style/main.css'));
  writeFileSync(join(outdir, 'index.html'), html);
}
