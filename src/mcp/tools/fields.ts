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

export const commandField = z
  .union([z.string().min(1).max(MAX_LINE), z.array(z.string()).min(1)])
  .describe(
    'A string is a line for bash (sh where there is no bash). An array is a program and its arguments, without a shell.',
  );

export const cwdField = z.string().optional().describe("Directory to run in. Default: the server's own.");

export const envField = z
  .record(z.string(), z.union([z.string(), z.null()]))
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
