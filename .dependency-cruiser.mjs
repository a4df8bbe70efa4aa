/**
 * Who may import whom: the layers of docs/architecture.md as rules for dependency-cruiser. `npx depcruise src plugins routes client web` shows what
 * breaks them, and test/layers.test.ts holds them. Knows the folders and the packages, and no file beyond those that own a package.
 */

/**
 * Each layer with the layers that it may import, itself aside. A layer is a folder, or a file without its `.ts`.
 * What is missing here is a decision: a lower layer that a higher one must not know. A line that grows is a change of the design.
 */
const BELOW_COMMANDS = ['src/process', 'src/auth', 'src/policy'];
const BELOW_SESSION = ['src/protocol', 'src/auth', 'src/policy', 'src/rpc'];
const BELOW_DIALECTS = [...BELOW_COMMANDS, ...BELOW_SESSION, 'src/files', 'src/session', 'src/commands'];
const BELOW_SERVER = [
  ...BELOW_DIALECTS,
  'src/dialects',
  'src/config',
  'src/telemetry',
  'src/log',
  'src/version',
  'src/write-in-time',
];
const BELOW_PLUGINS = [...BELOW_SERVER, 'src/server'];
const BELOW_APP = [...BELOW_PLUGINS, 'plugins', 'routes'];

/** The apps put plugins and routes together, so they stand above them although they live in `src/server`. */
const APPS = ['src/server/app', 'src/server/metrics-app'];

/** @type {Readonly<Record<string, readonly string[]>>} */
const MAY_IMPORT = {
  'src/version': [],
  'src/write-in-time': [],
  'src/protocol': [],
  'src/process': [],
  'src/files': [],
  'src/auth': [],
  'src/config': [],
  'src/log': ['src/config', 'src/write-in-time'],
  'src/policy': ['src/auth'],
  'src/rpc': ['src/protocol'],
  'src/session': BELOW_SESSION,
  // No wire word and no connection: a second dialect, a viewer that comes back and a policy meet here without knowing each other.
  'src/commands': BELOW_COMMANDS,
  'src/dialects': BELOW_DIALECTS,
  'src/telemetry': [...BELOW_DIALECTS, 'src/dialects', 'src/config', 'src/log', 'src/version'],
  'src/server': BELOW_SERVER,
  plugins: BELOW_PLUGINS,
  routes: [...BELOW_PLUGINS, 'plugins'],
  'src/server/app': [...BELOW_APP, ...APPS],
  'src/server/metrics-app': [...BELOW_APP, ...APPS],
  // The tools of agents are clients of a server, as any other program is.
  'src/mcp': ['client'],
  // The commands of the command line use the client, as any other program does.
  'src/cli': [...BELOW_APP, ...APPS, 'src/mcp', 'client'],
  // Part of the program that embeds the server: it starts the server as a child process.
  'src/embed': ['src/server'],
  'src/main': ['src/cli', 'src/process', 'src/version'],
  // It runs before anything else is loaded.
  'src/launcher': ['src/process/young-heap', 'src/cli/client-words'],
  // A package of its own.
  client: [],
  // The page of `/terminal` is a client, as any other program is.
  web: ['client'],
};

/** Who may import a package. `types`: who may import its types alone. A package without a row may not be imported. */
const OWNERS = [
  {
    package: '(fastify|fastify-plugin|@fastify/[^/]+)',
    owners: ['plugins', 'routes', ...APPS],
    types: ['src/log', 'src/cli', 'src/embed'],
  },
  { package: 'node-pty', owners: ['src/process/pty-fork'] },
  { package: 'koffi', owners: ['src/process/libc', 'src/process/sandbox/sandbox-worker'], types: ['src/process'] },
  { package: '@opentelemetry/api', owners: ['src/telemetry'] },
  { package: '@opentelemetry/(?!api/)[^/]+', owners: ['src/telemetry/sdk'] },
  { package: 'prom-client', owners: ['src/telemetry/prometheus'] },
  { package: 'zod', owners: ['src/protocol', 'src/policy', 'src/config', 'src/mcp'], types: ['src/session'] },
  {
    package: '@xterm/headless',
    owners: ['src/commands/screen-terminal', 'src/mcp/screen-text'],
    types: ['src/commands'],
  },
  { package: '@xterm/(?!headless/)[^/]+', owners: ['web'] },
  { package: '@modelcontextprotocol/server', owners: ['src/mcp'] },
  { package: 'jose', owners: ['src/auth'] },
  { package: 'tar', owners: ['src/files'] },
  { package: '(pino|pino-pretty)', owners: ['src/log'] },
  { package: 'ws', owners: ['client/src/node'] },
];

const SOURCES = '^(src|plugins|routes|client|web)/';
/** The files that a program starts with. */
const ENTRIES =
  '^(src/(main|launcher|embed/(fastify|ends-with-parent)|process/sandbox/sandbox-worker)|client/src/(node|browser)|web/src/main|src/protocol/(methods|open-rpc))[.]ts$';

/** Files that the builds put in place of a package, or into one. */
const REPLACEMENTS = '^(src/rpc/frame-mask|web/src/(style-element|soon))[.]ts$';

/** Operations on files that only the dialect of the exec-server has. */
const FOR_EXEC_SERVER = '^src/files/(canonicalize|file-handles|walk)[.]ts$';

/** Matches the files of a layer. @param {string} layer */
function filesOf(layer) {
  // The apps are no part of the folder around them.
  return layer === 'src/server' ? '^src/server/(?!(metrics-)?app[.]ts$)' : `^${layer}(/|[.]ts$)`;
}

/** Matches a resolved import of a package, with or without types of its own. @param {string} name a pattern */
function packageOf(name) {
  return `(^|node_modules/)(@types/)?${name}(/|$)`;
}

const layerRules = Object.entries(MAY_IMPORT).map(([layer, lower]) => ({
  name: `below ${layer}`,
  severity: 'error',
  from: { path: filesOf(layer) },
  to: { path: SOURCES, pathNot: [layer, ...lower].map(filesOf) },
}));

const packageRules = OWNERS.flatMap(({ package: name, owners, types = [] }) => [
  {
    name: `owners of ${name}`,
    severity: 'error',
    from: { path: SOURCES, pathNot: [...owners, ...types].map(filesOf) },
    to: { path: packageOf(name) },
  },
  {
    name: `only types of ${name}`,
    severity: 'error',
    from: { path: types.map(filesOf), pathNot: owners.map(filesOf) },
    to: { path: packageOf(name), dependencyTypesNot: ['type-only'] },
  },
]).filter(({ from }) => from.path.length > 0);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layerRules,
    ...packageRules,
    {
      name: 'a layer',
      severity: 'error',
      comment: 'Every source file belongs to a layer that MAY_IMPORT names.',
      from: { path: SOURCES, pathNot: Object.keys(MAY_IMPORT).map(filesOf) },
      to: {},
    },
    {
      name: 'an owned package',
      severity: 'error',
      comment: 'A package that OWNERS does not name is a new dependency: give it an owner there.',
      from: { path: SOURCES },
      to: {
        dependencyTypesNot: ['local', 'core'],
        couldNotResolve: false,
        pathNot: [SOURCES, ...OWNERS.map(({ package: name }) => packageOf(name))],
      },
    },
    {
      name: 'no cycle',
      severity: 'error',
      from: { path: SOURCES },
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: { path: SOURCES },
      to: { couldNotResolve: true },
    },
    {
      name: 'in use',
      severity: 'error',
      comment: 'No program of the project comes to this file: it is dead code.',
      from: { path: ENTRIES },
      to: { path: SOURCES, pathNot: [ENTRIES, REPLACEMENTS, FOR_EXEC_SERVER, '[.]d[.]ts$'], reachable: false },
    },
    {
      name: 'small command line',
      severity: 'error',
      comment:
        'The commands that talk to a server start in the time of a bare Node: they never load the server, nor its packages.',
      from: { path: '^src/cli/client-commands[.]ts$' },
      to: {
        path: [
          '^(plugins|routes|src/(?!cli/|files/|config/(client-settings|listen-address)[.]ts$|(version|write-in-time)[.]ts$))',
          packageOf('(zod|pino|fastify)'),
        ],
        reachable: true,
      },
    },
    {
      name: 'browsers',
      severity: 'error',
      comment:
        'The page, the client and the protocol run in browsers, which have no modules of Node; one file is only in the package for Node.',
      from: {
        path: ['web', 'client', 'src/protocol'].map(filesOf),
        pathNot: filesOf('client/src/signal-listeners'),
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'environment',
      severity: 'error',
      comment:
        '`process` is a global: importing it hides a reader of the environment from the test that looks for them.',
      from: { path: SOURCES },
      to: { path: '^(node:)?process$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // What the package of the client and the page are built by, and to.
    exclude: { path: '^(client/(dist/|test-d/|build[.]mjs)|web/build[.]mjs)' },
    // Imports of types are imports: a layer that knows the types of another knows it.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
