// Owns the strict check of rendered objects: each becomes a literal typed by kubernetes-models and is compiled. Knows nothing of their meaning.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';

const MODEL_PACKAGE_BY_GROUP = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api/',
  'keda.sh': '@kubernetes-models/keda/',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator/',
};
const COMPILER_OPTIONS = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: 'es2022',
  module: 'esnext',
  moduleResolution: 'bundler',
  types: [],
};

function typedLiteral(object, index) {
  const group = object.apiVersion.split('/')[0];
  const module = `${MODEL_PACKAGE_BY_GROUP[group] ?? 'kubernetes-models/'}${object.apiVersion}/${object.kind}`;
  return `import type { I${object.kind} as Kind${index} } from '${module}';\nexport const object${index}: Kind${index} = ${JSON.stringify(object, null, 1)};\n`;
}

/**
 * Compiles objects by name.
 * @param {Record<string, object[]>} objectsByName
 * @param {{ models: string, typescript: string, workFolder: string }} where `models`: a node_modules folder; `typescript`: path of tsc
 * @returns {Promise<Record<string, string[]>>} the compiler's messages by name; empty lists when all is well
 */
export async function strictProblems(objectsByName, { models, typescript, workFolder }) {
  const folder = join(workFolder, 'strict');
  await mkdir(folder, { recursive: true });
  await symlink(models, join(folder, 'node_modules')).catch(() => {});
  for (const [name, objects] of Object.entries(objectsByName)) {
    await writeFile(join(folder, `${name}.ts`), objects.map(typedLiteral).join('\n'));
  }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ['*.ts'] }),
  );
  const { stdout } = await run([process.execPath, typescript, '--project', folder, '--pretty', 'false'], {
    cwd: folder,
    check: false,
  });
  const problems = Object.fromEntries(Object.keys(objectsByName).map((name) => [name, []]));
  for (const line of stdout.split('\n')) {
    const match = /^([\w-]+)\.ts\(\d+,\d+\): (.*)$/.exec(line);
    if (match !== null) problems[match[1]]?.push(match[2]);
    else if (line.startsWith('error')) throw new Error(line);
  }
  return problems;
}
