/** Types of requirements.mjs for tests in TypeScript. */
export function findProgram(program: string): string | undefined;
