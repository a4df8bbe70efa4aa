/** Describes the service in OpenRPC, from the method and error tables. Knows nothing of how a method is served. @see https://spec.open-rpc.org */
import * as z from 'zod';
import { errorTable } from './errors.js';
import type { MethodDefinition } from './methods/method-definition.js';
import { methods } from './methods.js';

const OPEN_RPC_VERSION = '1.3.2';

/** The document that `rpc.discover` answers with. */
export function openRpcDocument(version: string): Record<string, unknown> {
  return {
    openrpc: OPEN_RPC_VERSION,
    info: { title: 'execwire', version },
    methods: Object.entries<MethodDefinition>(methods).map(([name, definition]) => describe(name, definition)),
    'x-errors': Object.entries(errorTable).map(([reason, { code, description }]) => ({ reason, code, description })),
  };
}

function describe(name: string, definition: MethodDefinition): Record<string, unknown> {
  const params = z.toJSONSchema(definition.params, { io: 'input' });
  return {
    name,
    description: definition.description,
    paramStructure: 'by-name',
    params: [{ name: 'params', schema: params }],
    result: { name: 'result', schema: z.toJSONSchema(definition.result) },
    'x-experimental': definition.experimental === true,
  };
}

/** JSON Schema of params and result of every method, below `$defs` as `METHOD.params` and `METHOD.result`. */
export function jsonSchemaDocument(version: string): Record<string, unknown> {
  const definitions = Object.entries<MethodDefinition>(methods).flatMap(([name, { params, result }]) => [
    [`${name}.params`, z.toJSONSchema(params, { io: 'input' })],
    [`${name}.result`, z.toJSONSchema(result)],
  ]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `execwire ${version}`,
    $defs: Object.fromEntries(definitions),
  };
}
