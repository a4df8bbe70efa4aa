// Writes `docs/protocol.md`, `docs/exec-server.md` and `docs/configuration.md` from their hand-written frames (`*.in.md`) and the tables in `src/`.
// With `--check` it writes nothing and fails when a page is not what it would write. Owns the look of the tables, and no content.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chdir } from 'node:process';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { fieldRows, typeText } from './schema-table.mjs';

chdir(new URL('..', import.meta.url).pathname);

/** The tables as the server has them. They are bundled because Node 20 reads no TypeScript, in one bundle so that all share one zod. */
async function loadSource() {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-docs-'));
  try {
    const outfile = join(folder, 'source.mjs');
    const contents = `
      export { z } from 'zod';
      export { methods, clientNotifications, serverNotifications } from './src/protocol/methods.ts';
      export { execServerMethods, execServerNotifications } from './src/protocol/methods/exec-server.ts';
      export { execServerFileMethods, execServerFileNotifications } from './src/protocol/methods/exec-server-files.ts';
      export { errorTable } from './src/protocol/errors.ts';
      export { closeCodes } from './src/protocol/close-codes.ts';
      export { options, limitsOf, readConfig } from './src/config/config.ts';
      export { flagOf, variableOf } from './src/config/flags.ts';`;
    const stdin = { contents, resolveDir: process.cwd(), loader: 'ts' };
    await build({
      stdin,
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const source = await loadSource();

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(headings, rows) {
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(headings), `|${headings.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

function fieldsOf(schema, io, experimental = []) {
  const rows = fieldRows(source.z.toJSONSchema(schema, { io }), io);
  if (rows.length === 0) return undefined;
  const cells = rows.map(({ path, type, required, description }) => {
    const note = experimental.includes(path) && !description.startsWith('Experimental') ? 'Experimental. ' : '';
    return [`\`${path}\``, type, required ? 'yes' : '', note + description];
  });
  return table(['field', 'type', io === 'input' ? 'required' : 'always', 'meaning'], cells);
}

function methodSection([name, definition]) {
  const experimental = definition.experimental === true ? ' Experimental.' : '';
  const params = fieldsOf(definition.params, 'input', definition.experimentalParams);
  const result = fieldsOf(definition.result, 'output');
  return [
    `### ${name}`,
    `${definition.description}${experimental}${messageBound(definition)}`,
    params === undefined ? 'Takes no params.' : `Params:\n\n${params}`,
    result === undefined ? `Result: ${resultText(definition.result)}` : `Result:\n\n${result}`,
  ].join('\n\n');
}

function messageBound({ maxBytes }) {
  if (maxBytes === undefined) return '';
  return maxBytes === Infinity
    ? ' A message has up to `--max-frame-bytes`.'
    : ` A message has up to ${maxBytes} bytes.`;
}

function resultText(schema) {
  const json = source.z.toJSONSchema(schema);
  return json.properties === undefined ? `${typeText(json)}. ${json.description ?? ''}`.trim() : '`{}`.';
}

function notificationSection([name, { params, description }]) {
  const fields = fieldsOf(params, 'input');
  return [`### ${name}`, description, fields ?? 'Carries no params.'].join('\n\n');
}

function errorRows() {
  return Object.entries(source.errorTable).map(([reason, { code, description }]) => [
    code,
    `\`${reason}\``,
    description,
  ]);
}

function optionRow(name) {
  const { placeholder, defaultText, description, repeatable } = source.options[name];
  const flag = source.flagOf(name);
  const value = placeholder === undefined ? '' : ` ${placeholder}`;
  const fallback = defaultText === undefined || defaultText === '' ? 'none' : `\`${defaultText}\``;
  const often = repeatable && !/repeatable/i.test(description) ? ' Repeatable.' : '';
  return [`\`${flag}${value}\``, `\`${source.variableOf(name)}\``, fallback, `${description}${often}`];
}

function optionTable(names) {
  return table(['flag', 'variable', 'default', 'meaning'], names.map(optionRow));
}

/** A frame names the options of each of its tables; the table marked `rest` takes all other options. */
function fillOptions(frame) {
  const marker = /<!-- options: (.+?) -->/g;
  const named = [...frame.matchAll(marker)].flatMap(([, names]) => names.split(' ')).filter((name) => name !== 'rest');
  const unknown = named.filter((name) => !Object.hasOwn(source.options, name));
  if (unknown.length > 0) throw new Error(`docs/configuration.in.md names options that do not exist: ${unknown}`);
  const rest = Object.keys(source.options).filter((name) => !named.includes(name));
  return frame.replaceAll(marker, (_, names) => {
    const rows = names.split(' ').flatMap((name) => (name === 'rest' ? rest : [name]));
    return rows.length === 0 ? 'None at present.' : optionTable(rows);
  });
}

function fillProtocol(frame) {
  for (const code of Object.values(source.closeCodes)) {
    if (!frame.includes(`| ${code} |`)) throw new Error(`docs/protocol.in.md does not explain close code ${code}`);
  }
  const limits = Object.entries(source.limitsOf(source.readConfig([], {})));
  const parts = {
    methods: Object.entries(source.methods).map(methodSection).join('\n\n'),
    clientNotifications: Object.entries(source.clientNotifications).map(notificationSection).join('\n\n'),
    serverNotifications: Object.entries(source.serverNotifications).map(notificationSection).join('\n\n'),
    errors: table(['code', '`data.reason`', 'meaning'], errorRows()),
    limits: table(
      ['name', 'default'],
      limits.map(([name, value]) => [`\`${name}\``, value]),
    ),
  };
  return frame.replaceAll(/<!-- generated: (\w+) -->/g, (_, name) => {
    if (!Object.hasOwn(parts, name)) throw new Error(`docs/protocol.in.md asks for ${name}, which is not made`);
    return parts[name];
  });
}

function fillExecServer(frame) {
  const parts = {
    methods: Object.entries({ ...source.execServerMethods, ...source.execServerFileMethods })
      .map(methodSection)
      .join('\n\n'),
    notifications: Object.entries({ ...source.execServerNotifications, ...source.execServerFileNotifications })
      .map(notificationSection)
      .join('\n\n'),
  };
  return frame.replaceAll(/<!-- generated: (\w+) -->/g, (_, name) => parts[name]);
}

const pages = { protocol: fillProtocol, 'exec-server': fillExecServer, configuration: fillOptions };
const isCheck = process.argv.includes('--check');
for (const [name, fill] of Object.entries(pages)) {
  const path = `docs/${name}.md`;
  const notice = `<!-- Made by docs/generate.mjs from docs/${name}.in.md and src/: change those, then \`npm run docs\`. -->\n\n`;
  const text = notice + fill(readFileSync(`docs/${name}.in.md`, 'utf8'));
  if (!isCheck) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} is not what its sources say: npm run docs`);
    process.exitCode = 1;
  }
}
