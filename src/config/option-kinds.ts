/** The kinds of values a flag can have, as zod schemas from text. Knows no flag by name. */
import * as z from 'zod';

/** One flag with its environment variable. */
export interface Option<T> {
  /** Turns the given texts (several only for a repeatable flag) into the value. */
  readonly schema: z.ZodType<T, readonly string[] | undefined>;
  readonly description: string;
  /** The default as a person would write it; undefined if there is none. */
  readonly defaultText: string | undefined;
  /** What `--help` shows after the flag; undefined for a switch. */
  readonly placeholder: string | undefined;
  readonly repeatable: boolean;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Longest duration: the maximum of Node's timers. */
const MAX_DURATION_MS = 2 ** 31 - 1;
const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function option<T>(
  kind: Omit<Option<T>, 'schema'>,
  read: (text: string) => T | undefined,
  expected: string,
): Option<T> {
  const schema = z.custom<readonly string[] | undefined>().transform((texts, context) => {
    const text = texts?.at(-1) ?? kind.defaultText ?? '';
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `got \`${text}\`; expected ${expected}` });
    return z.NEVER;
  });
  return { ...kind, schema };
}

/** Free text. */
export function text(placeholder: string, defaultText: string, description: string): Option<string> {
  return option({ placeholder, defaultText, description, repeatable: false }, (value) => value, 'text');
}

/** Free text that may be missing. */
export function optionalText(placeholder: string, description: string): Option<string | undefined> {
  const schema = z.custom<readonly string[] | undefined>().transform((texts) => texts?.at(-1));
  return { schema, placeholder, description, defaultText: undefined, repeatable: false };
}

/** A flag that may be given several times; its variable holds a list separated by commas. */
export function list(placeholder: string, description: string): Option<readonly string[]> {
  const schema = z.custom<readonly string[] | undefined>().transform((texts): readonly string[] => texts ?? []);
  return { schema, placeholder, description, defaultText: undefined, repeatable: true };
}

/** One of a few words. */
export function choice<const W extends readonly string[]>(
  words: W,
  defaultText: W[number],
  description: string,
): Option<W[number]> {
  const read = (value: string): W[number] | undefined => words.find((word) => word === value);
  return option(
    { placeholder: words.join('|'), defaultText, description, repeatable: false },
    read,
    `one of ${words.join(', ')}`,
  );
}

/** One of a few words, or nothing. */
export function optionalChoice<const W extends readonly string[]>(
  words: W,
  description: string,
): Option<W[number] | undefined> {
  const schema = z.custom<readonly string[] | undefined>().transform((texts, context) => {
    const text = texts?.at(-1);
    if (text === undefined) return undefined;
    const value: W[number] | undefined = words.find((word) => word === text);
    if (value === undefined) {
      context.addIssue({ code: 'custom', message: `got \`${text}\`; expected one of ${words.join(', ')}` });
    }
    return value;
  });
  return { schema, placeholder: words.join('|'), description, defaultText: undefined, repeatable: false };
}

/** A switch: present, or `true` and `false` in its variable. */
export function flag(description: string): Option<boolean> {
  const values: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };
  const read = (value: string): boolean | undefined => (Object.hasOwn(values, value) ? values[value] : undefined);
  return option(
    { placeholder: undefined, defaultText: 'false', description, repeatable: false },
    read,
    '`true` or `false`',
  );
}

/** A span of time as milliseconds, written `250ms`, `30s`, `5m`, `1h`, or as a bare number of seconds. */
export function duration(defaultText: string, description: string): Option<number> {
  const read = (value: string): number | undefined => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value);
    if (match === null) return undefined;
    const ms = Number(match[1]) * (UNIT_MS[match[2] ?? 's'] ?? 1);
    return ms <= MAX_DURATION_MS ? ms : undefined;
  };
  const expected = 'a duration such as `250ms`, `30s` or `5m` of at most 24 days';
  return option({ placeholder: 'DURATION', defaultText, description, repeatable: false }, read, expected);
}

/** A number of bytes, written plain or with the suffix `k`, `m` or `g` for powers of 1024. */
export function bytes(min: number, defaultText: string, description: string): Option<number> {
  const read = (value: string): number | undefined => {
    const match = /^(\d+)([kmg]?)$/i.exec(value);
    if (match === null) return undefined;
    const count = Number(match[1]) * (UNIT_BYTES[(match[2] ?? '').toLowerCase()] ?? 1);
    return count >= min && Number.isSafeInteger(count) ? count : undefined;
  };
  const expected = `a number of bytes such as \`16m\`, at least ${min}`;
  return option({ placeholder: 'BYTES', defaultText, description, repeatable: false }, read, expected);
}

/** A whole number, or nothing. */
export function optionalCount(min: number, max: number, description: string): Option<number | undefined> {
  const { schema } = count(min, max, '', description);
  const optional = z.custom<readonly string[] | undefined>().transform((texts, context) => {
    if (texts === undefined) return undefined;
    const parsed = schema.safeParse(texts);
    if (parsed.success) return parsed.data;
    for (const { message } of parsed.error.issues) context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
  return { schema: optional, placeholder: 'N', description, defaultText: undefined, repeatable: false };
}

/** A whole number. */
export function count(min: number, max: number, defaultText: string, description: string): Option<number> {
  const read = (value: string): number | undefined => {
    const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  };
  return option(
    { placeholder: 'N', defaultText, description, repeatable: false },
    read,
    `a whole number from ${min} to ${max}`,
  );
}
