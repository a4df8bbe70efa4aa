/** `execwire schema`: the protocol as a document for programs, made from the tables that the server itself reads. */
import { jsonSchemaDocument, openRpcDocument } from '../protocol/open-rpc.js';
import { version } from '../version.js';
import { describedCommand } from './described-command.js';
import { CliError } from './exit-codes.js';
import { printJson } from './out-stream.js';

export const schema = describedCommand({
  name: 'schema',
  summary: 'Prints the protocol as OpenRPC or JSON Schema.',
  usage: '--openrpc | --json-schema',
  flags: [
    { name: 'openrpc', description: 'One OpenRPC document, as `rpc.discover` answers.' },
    { name: 'json-schema', description: 'One JSON Schema with params and result of each method.' },
  ],
  examples: [
    ['execwire schema --openrpc > execwire.openrpc.json', 'For tools that know OpenRPC.'],
    ['execwire schema --json-schema > execwire.schema.json', 'For generators of types.'],
  ],
  maxWords: 0,
  async run(given) {
    if (given.has('openrpc') === given.has('json-schema'))
      throw new CliError('schema needs one of --openrpc and --json-schema');
    await printJson(given.has('openrpc') ? openRpcDocument(version) : jsonSchemaDocument(version));
    return 0;
  },
});
