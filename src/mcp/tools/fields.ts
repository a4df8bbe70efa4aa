/** Fields that several tools have, with their units, defaults and limits. Knows no tool. */
import * as z from 'zod';

/** Bytes of output in one result by default: some 5,000 tokens. */
const DEFAULT_RESULT_BYTES = 20_000;
const MAX_RESULT_BYTES = 200_000;
const LEAST_RESULT_BYTES = 100;
/** Seconds in a day, the longest time of any call. */
export const MAX_SECONDS = 86_400;
/** Longest command line, as the server's own bound on arguments allows. */
const MAX_LINE = 131_072;

/** The fields of one tool, all of them known. A field that is none of them is named together with those that are. */
export function toolInput<S extends z.core.$ZodLooseShape>(shape: S) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code, keys }) =>
      code === 'unrecognized_keys' ? `${keys.join(', ')}: no such field; there are ${known}` : undefined,
  });
}

const COMMAND_FAULT = `give a string of 1 to ${MAX_LINE} characters, which is a line for a shell, or an array of strings, which is a program and its arguments`;

export const commandField = z
  .union([z.string().min(1, COMMAND_FAULT).max(MAX_LINE, COMMAND_FAULT), z.array(z.string()).min(1, COMMAND_FAULT)], {
    error: COMMAND_FAULT,
  })
  .describe(
    'A string is a line for bash (sh where there is no bash). An array is a program and its arguments, without a shell.',
  );

export const cwdField = z
  .string()
  .optional()
  .describe("Directory to run in. Default: the server's own, from which a relative one counts.");

export const envField = z
  .record(z.string(), z.union([z.string(), z.null()], { error: 'a variable is a string, or null to remove it' }))
  .optional()
  .describe('Variables to set; null removes one. Default: none.');

export const idField = z.string().describe('Id of a command, such as c3, as exec, start and list give it.');

export const maxBytesField = z
  .int()
  .min(LEAST_RESULT_BYTES)
  .max(MAX_RESULT_BYTES)
  .default(DEFAULT_RESULT_BYTES)
  .describe(
    `Most bytes of output in the result, ${LEAST_RESULT_BYTES} to ${MAX_RESULT_BYTES}. Default ${DEFAULT_RESULT_BYTES}.`,
  );

export const pathField = z
  .string()
  .min(1)
  .regex(/^\//, 'a path has to be absolute, such as /home/user/project/README.md; exec with pwd shows the directory')
  .describe('Absolute path.');

/** A time in seconds. @param rest what it is for, with the default */
export function secondsField(least: number, most: number, rest: string) {
  return z.number().min(least).max(most).describe(`${rest} ${least} to ${most} seconds.`);
}
