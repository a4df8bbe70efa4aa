// Owns the strict check of an object against the schema of its custom resource definition, as an API server with `fieldValidation: Strict` does it:
// unknown fields, types, required fields, enums, patterns and bounds. Pure. Knows no rules in CEL, and no defaults.

/** Fields of `metadata`, which definitions leave to the API server. Those that a manifest writes. */
const METADATA_FIELDS = new Set(['name', 'generateName', 'namespace', 'labels', 'annotations']);

const typeOf = (value) => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

function isOfType(value, schema) {
  const type = typeOf(value);
  if (schema['x-kubernetes-int-or-string']) return type === 'integer' || type === 'string';
  return schema.type === undefined || schema.type === type || (schema.type === 'number' && type === 'integer');
}

/** Problems with a value that has the right type. */
function boundProblems(value, schema, path) {
  const rules = [
    [`is none of ${schema.enum?.join(', ')}`, schema.enum === undefined || schema.enum.includes(value)],
    [
      `does not match ${schema.pattern}`,
      schema.pattern === undefined || new RegExp(schema.pattern).test(String(value)),
    ],
    [`is below ${schema.minimum}`, schema.minimum === undefined || value >= schema.minimum],
    [`is above ${schema.maximum}`, schema.maximum === undefined || value <= schema.maximum],
    [`is shorter than ${schema.minLength}`, schema.minLength === undefined || value.length >= schema.minLength],
    [`is longer than ${schema.maxLength}`, schema.maxLength === undefined || value.length <= schema.maxLength],
    ['is no date', schema.format !== 'date-time' || !Number.isNaN(Date.parse(value))],
  ];
  return rules.filter(([, holds]) => !holds).map(([problem]) => `${path}: ${JSON.stringify(value)} ${problem}`);
}

function memberProblems(value, schema, path) {
  const { properties, additionalProperties, required = [] } = schema;
  const missing = required.filter((name) => value[name] === undefined);
  const found = Object.entries(value).flatMap(([name, member]) => {
    const own = properties?.[name] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    if (own !== undefined) return schemaProblems(member, own, `${path}.${name}`);
    const isFree = additionalProperties === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
    return isFree ? [] : [`${path}.${name}: unknown field`];
  });
  return [...missing.map((name) => `${path}.${name}: missing`), ...found];
}

/**
 * @param {unknown} value
 * @param {object} schema of `openAPIV3Schema`, or a part of it
 * @param {string} path of the value, for messages
 * @returns {string[]} problems; empty when all is well
 */
export function schemaProblems(value, schema, path) {
  if (!isOfType(value, schema)) return [`${path}: ${typeOf(value)} in place of ${schema.type ?? 'integer or string'}`];
  if (Array.isArray(value))
    return value.flatMap((item, at) => schemaProblems(item, schema.items ?? {}, `${path}[${at}]`));
  return typeof value === 'object' ? memberProblems(value, schema, path) : boundProblems(value, schema, path);
}

/**
 * Checks an object against the definition of its kind and version.
 * @param {object} object
 * @param {object[]} definitions CustomResourceDefinitions
 * @returns {string[]}
 */
export function definitionProblems(object, definitions) {
  const [group, version] = object.apiVersion.split('/');
  const definition = definitions.find(({ spec }) => spec.group === group && spec.names.kind === object.kind);
  const served = definition?.spec.versions.find(({ name, served: isServed }) => name === version && isServed);
  if (served === undefined) return [`${object.kind}: no definition serves ${object.apiVersion}`];
  const { apiVersion: _version, kind: _kind, metadata = {}, ...rest } = object;
  const strangers = Object.keys(metadata).filter((name) => !METADATA_FIELDS.has(name));
  return [
    ...strangers.map((name) => `${object.kind}.metadata.${name}: unknown field`),
    ...schemaProblems(rest, served.schema.openAPIV3Schema, object.kind),
  ];
}
