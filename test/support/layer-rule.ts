/** The layer rule of the project as a function over one source file. Reads no file. @see docs/architecture.md */

/** Areas by height; what stands at one height does not know its neighbours. `leaf` is every file or folder not named here. */
const HEIGHTS: Readonly<Record<string, number>> = {
  leaf: 0,
  rpc: 1,
  session: 2,
  client: 2,
  exec: 3,
  // Above what it observes.
  telemetry: 4,
  server: 5,
  plugins: 6,
  routes: 7,
  app: 8,
  cli: 9,
  main: 10,
};

/** Files that stand higher than the folder they are in: they register the plugins and routes. */
const AREA_OF_FILE: Readonly<Record<string, string>> = {
  'src/server/app.ts': 'app',
  'src/server/metrics-app.ts': 'app',
};

/** Who may import a package: files or folders; `types:` where only its types may be. */
const OWNERS: readonly [name: RegExp, owners: readonly string[]][] = [
  [
    /^(fastify|fastify-plugin|@fastify\/.*)$/,
    ['plugins/', 'routes/', 'src/server/app.ts', 'src/server/metrics-app.ts'],
  ],
  [/^fastify$/, ['types:src/log.ts', 'types:src/cli/']],
  [/^node-pty(\/.*)?$/, ['src/process/pty-fork.ts']],
  [/^koffi$/, ['src/process/libc.ts', 'types:src/process/']],
  [/^@opentelemetry\/api$/, ['src/telemetry/']],
  [/^@opentelemetry\/(?!api$).*$/, ['src/telemetry/sdk.ts']],
  [/^zod$/, ['src/protocol/', 'src/config/', 'types:src/session/']],
  [/^jose$/, ['src/auth/']],
  [/^prom-client$/, ['src/telemetry/']],
  [/^pino(-pretty)?$/, ['src/log.ts']],
];

const MAY_READ_ENVIRONMENT = ['src/config/config.ts', 'src/process/environment.ts'];
const FORBIDDEN_NAMES = /(^|\/)(index|utils?|helpers?|common)(\/|\.ts$)/;

interface Import {
  readonly name: string;
  readonly typesOnly: boolean;
}

/** Imports as they are written: static, dynamic and required ones. */
function importsOf(source: string): Import[] {
  const code = withoutComments(source);
  const found: Import[] = [];
  for (const [, types, name = ''] of code.matchAll(
    /\b(?:im|ex)port\s+(type\s+)?(?:[\w$*{}\s,]+\s+from\s+)?'([^'\n]+)'/g,
  )) {
    found.push({ name, typesOnly: types !== undefined });
  }
  for (const [, name = ''] of code.matchAll(/\b(?:import|require)\(\s*'([^'\n]+)'\s*\)/g)) {
    found.push({ name, typesOnly: false });
  }
  return found;
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

function areaOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return AREA_OF_FILE[path] ?? (top === 'src' ? second : top).replace(/\.ts$/, '');
}

function heightOf(area: string): number {
  return HEIGHTS[area] ?? HEIGHTS.leaf ?? 0;
}

/** A relative import as a path from the project's root. */
function targetOf(path: string, name: string): string {
  return new URL(name, `file:///${path}`).pathname.slice(1).replace(/\.js$/, '.ts');
}

function packageProblem(path: string, { name, typesOnly }: Import): string | undefined {
  if (name.startsWith('node:')) return areaOf(path) === 'client' ? 'runs in browsers, too' : undefined;
  const rows = OWNERS.filter(([pattern]) => pattern.test(name));
  const owners = rows.flatMap(([, allowed]) => allowed);
  const isOwner = owners.some(
    (owner) => path.startsWith(owner.replace(/^types:/, '')) && (typesOnly || !owner.startsWith('types:')),
  );
  return isOwner ? undefined : `belongs to ${owners.join(', ') || 'nobody'}`;
}

/**
 * What a file breaks of the rule, one sentence each.
 * @param path from the project's root, such as `src/rpc/codec.ts`
 */
export function layerProblems(path: string, source: string): string[] {
  const problems: string[] = [];
  const area = areaOf(path);
  for (const imported of importsOf(source)) {
    const { name } = imported;
    if (!name.startsWith('.')) {
      const problem = packageProblem(path, imported);
      if (problem !== undefined) problems.push(`${path} imports ${name}: ${problem}`);
      continue;
    }
    const target = targetOf(path, name);
    const other = areaOf(target);
    if (other !== area && heightOf(other) >= heightOf(area)) {
      problems.push(`${path} imports ${target}: ${other} is not below ${area}`);
    }
  }
  if (withoutComments(source).includes('process.env') && !MAY_READ_ENVIRONMENT.includes(path)) {
    problems.push(`${path} reads process.env`);
  }
  if (FORBIDDEN_NAMES.test(path)) problems.push(`${path} has a name that says nothing`);
  if (!/^(#!.*\n)?(\/\*\*|\/\/)/.test(source)) problems.push(`${path} does not begin with what it owns`);
  return problems;
}
