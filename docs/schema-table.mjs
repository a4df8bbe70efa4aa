// Turns a JSON schema into rows for people: one a field, nested fields by their path. Knows no method.

/** The schema without its `null`: on this wire null equals absent. */
function withoutNull(schema) {
  if (Array.isArray(schema.type))
    return { ...schema, type: schema.type.filter((type) => type !== 'null').join(' or ') };
  const choices = schema.anyOf?.filter(({ type }) => type !== 'null');
  return choices?.length === 1 ? { description: schema.description, ...choices[0] } : schema;
}

const isNullable = (schema) =>
  (Array.isArray(schema.type) && schema.type.includes('null')) ||
  schema.anyOf?.some(({ type }) => type === 'null') === true;

/** The type as a person would write it. @param {Record<string, any>} given a JSON schema @returns {string} */
export function typeText(given) {
  const schema = withoutNull(given);
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ');
  if (schema.type === 'array') return `${typeText(schema.items)}[]`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object' && schema.properties === undefined) {
    const value = schema.additionalProperties;
    return `{name: ${typeText(value)}${isNullable(value) ? ' or null' : ''}}`;
  }
  return schema.type ?? 'any';
}

/**
 * @param {Record<string, any>} given the JSON schema of an object
 * @param {'input' | 'output'} io null equals absent in what comes in; what goes out may hold one
 * @param {string} prefix path of the object
 * @returns {{path: string, type: string, required: boolean, description: string}[]}
 */
export function fieldRows(given, io, prefix = '') {
  const { properties = {}, required = [] } = withoutNull(given);
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const inner = withoutNull(field);
    const ofItems = inner.type === 'array' && inner.items.properties !== undefined;
    const row = {
      path,
      type: typeText(field) + (isNullable(field) && io === 'output' ? ' or null' : ''),
      required: required.includes(name),
      description: field.description ?? inner.description ?? '',
    };
    return [row, ...(ofItems ? fieldRows(inner.items, io, `${path}[].`) : fieldRows(inner, io, `${path}.`))];
  });
}
