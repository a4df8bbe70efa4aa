// Owns the check that the built server accepts the command line of the full render and confines its commands accordingly. Knows no chart.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerProcess } from '../../test/support/server-process.js';
import { check } from './report.mjs';
import { newCredential } from './signed-credential.mjs';

/**
 * The built server with the arguments of a container.
 * @param {string[]} args
 * @param {Record<string, string>} places what stands for words of them on this machine
 * @param {string} projectFolder
 */
export function builtServer(args, places, projectFolder) {
  return [process.execPath, join(projectFolder, 'dist/execwire.cjs'), ...args.map((word) => places[word] ?? word)];
}

/**
 * @param {object[]} objects the render
 * @param {{ projectFolder: string, workFolder: string }} folders
 */
export async function checkRenderedServer(objects, { projectFolder, workFolder }) {
  const deployment = objects.find((object) => object.kind === 'Deployment');
  const { args } = deployment.spec.template.spec.containers[0];
  const flagValue = (flag) => args[args.indexOf(flag) + 1];
  const folder = join(workFolder, 'rendered');
  const shared = join(folder, 'shared');
  const workspace = join(folder, 'workspace');
  const outside = join(folder, 'outside');
  for (const path of [shared, workspace, outside]) await mkdir(path, { recursive: true });
  const { jwks, sign } = newCredential();
  const token = sign({ iss: flagValue('--ws-issuer'), aud: flagValue('--ws-audience') });
  const keys = join(folder, 'jwks.json');
  await writeFile(keys, JSON.stringify(jwks));
  const places = {
    'ws://0.0.0.0:8080': 'ws://127.0.0.1:0',
    'http://0.0.0.0:9464': 'http://127.0.0.1:0',
    '/etc/execwire/tokens/jwks.json': keys,
    '/workspace/shared': shared,
    '5s': '0s',
  };
  const server = await ServerProcess.start({ argv: builtServer(args, places, projectFolder), cwd: workspace });
  try {
    const client = await server.wire({ token });
    const { limits } = (await client.request('initialize', { clientInfo: { name: 'test', version: '1' } })).result;
    check('the server takes the flags of the full render', limits !== undefined, server.url);
    // All folders of this check are in the temporary folder, so the policy must not make that writable.
    const sandboxPolicy = {
      type: 'workspaceWrite',
      writableRoots: [shared],
      excludeSlashTmp: true,
      excludeTmpdirEnvVar: true,
      networkAccess: true,
    };
    const tried = [workspace, shared, outside].map((path) => `(: > ${path}/in) 2>/dev/null && echo yes || echo no`);
    const params = { command: ['sh', '-c', tried.join('; ')], sandboxPolicy };
    const { result, error } = await client.request('command/exec', params);
    if (error?.data?.reason === 'sandboxUnavailable') {
      console.log(
        `  --   this host enforces no sandbox (${error.data.missing}): its flags are accepted, but not tried`,
      );
    } else {
      const wrote = result?.stdout.trim().split('\n').join() ?? JSON.stringify(error);
      check('a command writes the workspace and the rendered root, and nothing else', wrote === 'yes,yes,no', wrote);
    }
    await client.close();
  } finally {
    await server.stop();
  }
}
