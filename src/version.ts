/** The version of this program. A constant, so that no start reads package.json; `test/version.test.ts` holds the two together. */
export const version = '0.1.0';
