/**
 * Values that a client may send in any number or of any size. The cost of their check is bounded by their size: it stops after the first few faults,
 * where zod itself would make an issue for each of 100,000 elements. Knows no method.
 */
import * as z from 'zod';

/** A check stops after this many faults; a reply lists no more. */
export const MAX_ISSUES = 10;

/** The part of zod's payload that the checks use. */
type Payload = z.core.ParsePayload<unknown>;

/** An array of strings. @param maxItems most elements; Infinity for no bound but the message's */
export function strings(maxItems = Number.POSITIVE_INFINITY): z.ZodType<string[], string[]> {
  const check = (payload: Payload): void => {
    const { value } = payload;
    if (!Array.isArray(value)) wrongType(payload, 'array', value, []);
    else if (value.length > maxItems) refuse(payload, `Too big: expected at most ${maxItems} elements`);
    else {
      for (let at = 0; at < value.length && payload.issues.length < MAX_ISSUES; at += 1) {
        if (typeof value[at] !== 'string') wrongType(payload, 'string', value[at], [at]);
      }
    }
  };
  const items = { type: 'array', items: { type: 'string' } };
  const schema = z.any().check(check);
  return schema.meta(maxItems === Number.POSITIVE_INFINITY ? items : { ...items, maxItems });
}

/** An object of strings and nulls whose names the client chooses, `__proto__` included. @param maxEntries most names */
export function stringMap(
  maxEntries: number,
): z.ZodType<Readonly<Record<string, string | null>>, Readonly<Record<string, string | null>>> {
  const check = (payload: Payload): void => {
    const { value } = payload;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      wrongType(payload, 'record', value, []);
      return;
    }
    const names = Object.keys(value);
    if (names.length > maxEntries) {
      refuse(payload, `Too big: expected at most ${maxEntries} entries`);
      return;
    }
    for (const name of names) {
      const entry = (value as Record<string, unknown>)[name];
      if (typeof entry !== 'string' && entry !== null) wrongType(payload, 'string', entry, [name]);
      if (payload.issues.length >= MAX_ISSUES) return;
    }
  };
  const additionalProperties = { anyOf: [{ type: 'string' }, { type: 'null' }] };
  return z.any().check(check).meta({ type: 'object', additionalProperties, maxProperties: maxEntries });
}

/** Any integer, even one that a double holds only approximately: 64-bit clients send their largest number for "no limit". */
export function wholeNumber(): z.ZodNumber {
  return z.number().refine(Number.isInteger, 'Invalid input: expected an integer').meta({ type: 'integer' });
}

/** A string of at most so many bytes of UTF-8. */
export function shortString(maxBytes: number): z.ZodString {
  return z
    .string()
    .max(maxBytes)
    .refine((text) => utf8Bytes(text, maxBytes) <= maxBytes, {
      message: `Too big: expected at most ${maxBytes} bytes`,
    });
}

/** A UTF-16 character takes at most three bytes, so most texts are known to fit without being encoded. */
function utf8Bytes(text: string, maxBytes: number): number {
  return text.length * 3 <= maxBytes ? text.length : new TextEncoder().encode(text).length;
}

function wrongType(
  payload: Payload,
  expected: 'array' | 'record' | 'string',
  input: unknown,
  path: PropertyKey[],
): void {
  payload.issues.push({ code: 'invalid_type', expected, input, path, continue: false });
}

function refuse(payload: Payload, message: string): void {
  payload.issues.push({ code: 'custom', message, input: payload.value, path: [], continue: false });
}
