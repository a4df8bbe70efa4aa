/** Checks the options of the plugin before anything starts. Owns which flags of the server a program that embeds it cannot give. */

/** What is checked: a program in JavaScript can hand in anything. */
export type GivenOptions = Readonly<Record<string, unknown>>;

const OWN_OPTIONS = ['authorize', 'flags'];
/** Options of `register` itself, which Fastify hands on. */
const OPTIONS_OF_FASTIFY = ['prefix', 'logLevel', 'logSerializers'];

const LISTENS =
  'the plugin serves on the listener of your app alone, so that no client comes past `authorize`; run `execwire serve` for a listener of its own';
const ENDS_TLS = 'TLS ends at your app; give `https` to Fastify';
const SHOWS = 'it prints and ends; run `npx execwire serve --help`';

/** Flags that are refused, with the reason. */
const REFUSED_FLAGS: Readonly<Record<string, string>> = {
  '--listen': LISTENS,
  '--tls-cert': ENDS_TLS,
  '--tls-key': ENDS_TLS,
  '--allow-host': 'execwire checks the header `Host` on a loopback address alone, and here your app has the address',
  '--files': 'the plugin serves no files by HTTP; `box.files` works without the flag',
  '--help': SHOWS,
  '-h': SHOWS,
  '--version': SHOWS,
  '-V': SHOWS,
};

/**
 * @throws {TypeError} when an option is unknown or has the wrong type
 * @throws {Error} when nothing says who is let in, or for a flag that makes no sense here
 */
export function checkPluginOptions(options: GivenOptions): void {
  const unknown = Object.keys(options).find((name) => ![...OWN_OPTIONS, ...OPTIONS_OF_FASTIFY].includes(name));
  if (unknown !== undefined) {
    throw new TypeError(
      `execwirePlugin has no option \`${unknown}\`; its options are \`authorize\`, \`flags\` and \`prefix\`, and settings of the server go into \`flags\``,
    );
  }
  const { authorize, flags = [] } = options;
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new TypeError(
      `execwirePlugin: \`authorize\` must be a function of the request that returns true for a client to let in, and not ${typeName(authorize)}` +
        "; to let everybody in, leave it out and give `flags: ['--ws-auth', 'none']`",
    );
  }
  if (!isTexts(flags)) {
    throw new TypeError(
      `execwirePlugin: \`flags\` must be an array of strings, such as \`['--drain-timeout', '10s']\`, and not ${typeName(flags)}`,
    );
  }
  for (const flag of flags) {
    const name = flag.split('=', 1)[0] ?? flag;
    const reason = Object.hasOwn(REFUSED_FLAGS, name) ? REFUSED_FLAGS[name] : undefined;
    if (reason !== undefined) throw new Error(`execwirePlugin: \`flags\` cannot have \`${name}\`: ${reason}`);
  }
  if (authorize === undefined && !flags.some((flag) => /^--ws-auth(=|$)/.test(flag))) {
    throw new Error(
      'execwire runs commands for everybody it lets in: give the plugin `authorize`, or `--ws-auth` in `flags` ' +
        '(`--ws-auth none` where something else keeps strangers out)',
    );
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (!Array.isArray(value)) return `a value of the type ${typeof value}`;
  return `an array with a value of the type ${typeof value.find((item) => typeof item !== 'string')}`;
}
