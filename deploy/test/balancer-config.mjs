// Owns the project's own balancer configurations with a run's addresses in place of their names; nothing else is changed. Starts nothing.
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const deployFolder = resolve(import.meta.dirname, '..');

const SOURCES = {
  haproxy: {
    file: 'haproxy/haproxy.cfg',
    listen: 'bind :8080',
    unused: /^ {4}server execwire-\d+ execwire-\d+:8080\n/gm,
  },
  nginx: { file: 'nginx/nginx.conf', listen: 'listen 8080;', unused: /^ {8}server execwire-\d+:8080 .*;\n/gm },
};

/**
 * Writes a configuration.
 * @param {'haproxy' | 'nginx'} program
 * @param {{ addresses?: readonly string[], port: number, workFolder: string }} run `addresses`: of the replicas, as `IP:PORT`; without them the names stay.
 *   `port`: of the balancer, on loopback
 * @returns {Promise<string>} path of the file
 */
export async function balancerConfiguration(program, { addresses, port, workFolder }) {
  const { file: source, listen, unused } = SOURCES[program];
  let text = await readFile(join(deployFolder, source), 'utf8');
  text = text.replace(listen, listen.replace(/:?8080/, `127.0.0.1:${port}`));
  if (addresses !== undefined) {
    for (const [index, address] of addresses.entries())
      text = text.replace(` execwire-${index + 1}:8080`, ` ${address}`);
    text = text.replace(unused, '');
  }
  const file = join(workFolder, `${program}.conf`);
  await writeFile(file, text);
  return file;
}
