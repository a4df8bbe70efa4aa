// Owns the step of agent sandboxes: deploy/agent-sandbox against the published definitions where they are, against what this project knows, and the
// built server with the arguments of the template behind a router that drops `Authorization`. Knows no cluster.
//   AGENT_SANDBOX_CRDS=FOLDER  the CustomResourceDefinitions of kubernetes-sigs/agent-sandbox, as its `k8s/crds` has them (v0.5.6)
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { connect } from '../../client/src/node.js';
import { SandboxRouter, sandboxHost } from '../../test/support/sandbox-router.js';
import { ServerProcess } from '../../test/support/server-process.js';
import { agentSandboxProblems, sandboxPod } from './agent-sandbox-checks.mjs';
import { definitionProblems } from './crd-schema.mjs';
import { modelsFolder, yamlParser } from './npm-cache.mjs';
import { builtServer } from './rendered-server.mjs';
import { check, checkCaught } from './report.mjs';
import { newCredential } from './signed-credential.mjs';
import { strictProblems } from './strict-types.mjs';

const FILES = ['sandbox-template.yaml', 'sandbox-warm-pool.yaml', 'sandbox-claim.yaml'];
const SANDBOX = 'python-x7k2p';

const kindOf = (objects, kind) => objects.find((object) => object.kind === kind);
const podOf = (objects) => kindOf(objects, 'SandboxTemplate').spec.podTemplate.spec;

/** Faults that the schemas must catch. */
const SCHEMA_FAULTS = {
  'an unknown field of the pod': (objects) => {
    podOf(objects).containers[0].securityContext.readOnlyRootFileSystem = true;
  },
  'an unknown field of the template': (objects) => {
    kindOf(objects, 'SandboxTemplate').spec.podTemplates = {};
  },
  'an unknown field of metadata': (objects) => {
    kindOf(objects, 'SandboxClaim').metadata.label = {};
  },
  'a claim without a pool': (objects) => {
    delete kindOf(objects, 'SandboxClaim').spec.warmPoolRef;
  },
  'a policy that is none': (objects) => {
    kindOf(objects, 'SandboxClaim').spec.lifecycle.shutdownPolicy = 'Destroy';
  },
  'replicas as a text': (objects) => {
    kindOf(objects, 'SandboxWarmPool').spec.replicas = '5';
  },
  'fewer than no replicas': (objects) => {
    kindOf(objects, 'SandboxWarmPool').spec.replicas = -1;
  },
  'an amount of memory that is none': (objects) => {
    podOf(objects).containers[0].resources.limits.memory = '1 GB';
  },
  'a version that is not served': (objects) => {
    kindOf(objects, 'SandboxWarmPool').apiVersion = 'extensions.agents.x-k8s.io/v1';
  },
};

/** Faults that the relations must catch. */
const RELATION_FAULTS = {
  'a pool of another template': (objects) => {
    kindOf(objects, 'SandboxWarmPool').spec.sandboxTemplateRef.name = 'node';
  },
  'a claim with variables, which would start cold': (objects) => {
    kindOf(objects, 'SandboxClaim').spec.env = [{ name: 'A', value: 'b' }];
  },
  'execwire started from a folder that nobody fills': (objects) => {
    podOf(objects).initContainers[0].args[1] = '/elsewhere';
  },
  'a folder that commands can write': (objects) => {
    delete podOf(objects).containers[0].volumeMounts[0].readOnly;
  },
  'a token that opens every sandbox': (objects) => {
    podOf(objects).containers[0].env[0] = { name: 'SANDBOX_NAME', value: 'python' };
  },
  'a port that the routers do not ask': (objects) => {
    podOf(objects).containers[0].ports[0].containerPort = 8080;
  },
  'a grace period shorter than the drain': (objects) => {
    podOf(objects).terminationGracePeriodSeconds = 30;
  },
};

async function checkDefinitions(objects, parse, projectFolder) {
  const folder = process.env.AGENT_SANDBOX_CRDS ?? join(projectFolder, '../shared/data/agent-sandbox');
  if (!existsSync(folder)) {
    console.log(
      '  --   not checked against the definitions of agent-sandbox: AGENT_SANDBOX_CRDS names no folder that has them',
    );
    return;
  }
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  const definitions = await Promise.all(files.map(async (name) => parse(await readFile(join(folder, name), 'utf8'))));
  const problems = (list) => list.flatMap((object) => definitionProblems(object, definitions));
  const found = problems(objects);
  check(`the published definitions hold for ${objects.length} objects`, found.length === 0, found.join('; '));
  for (const [name, inject] of Object.entries(SCHEMA_FAULTS)) {
    const wrong = structuredClone(objects);
    inject(wrong);
    checkCaught(`by the definitions, ${name}`, problems(wrong));
  }
}

async function checkRelations(objects, { projectFolder, workFolder }) {
  const found = agentSandboxProblems(objects);
  check(
    'fields, names, folder, ports, durations and hardening of sandboxes hold',
    found.length === 0,
    found.join('; '),
  );
  for (const [name, inject] of Object.entries(RELATION_FAULTS)) {
    const wrong = structuredClone(objects);
    inject(wrong);
    checkCaught(`in the sandboxes, ${name}`, agentSandboxProblems(wrong));
  }
  const wrong = structuredClone(objects);
  SCHEMA_FAULTS['an unknown field of the pod'](wrong);
  const problems = await strictProblems(
    { pod: [sandboxPod(objects)], wrong: [sandboxPod(wrong)] },
    {
      models: await modelsFolder(),
      typescript: join(projectFolder, 'node_modules/typescript/bin/tsc'),
      workFolder: join(workFolder, 'agent-sandbox'),
    },
  );
  check('strict types hold: the pod of a sandbox', problems.pod.length === 0, problems.pod.join('\n'));
  checkCaught('by the types, an unknown field of the pod', problems.wrong);
}

/** The built server with the template's arguments, reached as a client in a cluster reaches it. */
async function checkServer(objects, { projectFolder, workFolder }) {
  const [{ args }] = podOf(objects).containers;
  const folder = join(workFolder, 'agent-sandbox');
  const workspace = join(folder, 'workspace');
  await mkdir(workspace, { recursive: true });
  const { jwks, sign } = newCredential();
  const keys = join(folder, 'jwks.json');
  await writeFile(keys, JSON.stringify(jwks));
  const places = {
    'ws://0.0.0.0:8888': 'ws://127.0.0.1:0',
    '/etc/execwire/keys/jwks.json': keys,
    '/workspace': workspace,
    '$(SANDBOX_NAME)': SANDBOX,
  };
  // On loopback alone a server looks at the host.
  const argv = [...builtServer(args, places, projectFolder), '--allow-host', sandboxHost(SANDBOX)];
  const server = await ServerProcess.start({ argv });
  const router = await SandboxRouter.start(new Map([[SANDBOX, Number(new URL(server.url).port)]]));
  const open = (token, headers = {}) =>
    connect(router.url, {
      name: 'test',
      token,
      reconnect: false,
      openSocket: (url, protocols) =>
        new WebSocket(url, protocols, { headers: { 'X-Sandbox-ID': SANDBOX, ...headers } }),
    });
  const refusalOf = (token, headers) =>
    open(token, headers).then(
      async (box) => {
        await box.close();
        return 'let in';
      },
      (error) => String(error.status ?? error),
    );
  try {
    const box = await open(sign({ aud: SANDBOX }));
    const { stdout } = await box.exec(['pwd']);
    await box.close();
    check(
      'a client comes to the sandbox through the router, with its token as a subprotocol',
      stdout === workspace,
      stdout,
    );
    const refused = {
      'a token for another sandbox': await refusalOf(sign({ aud: 'python-other' })),
      'a token for no sandbox': await refusalOf(sign({})),
      'a token in Authorization, which the router drops': await refusalOf(undefined, {
        Authorization: `Bearer ${sign({ aud: SANDBOX })}`,
      }),
    };
    for (const [what, status] of Object.entries(refused))
      check(`the sandbox refuses ${what}`, status === '401', status);
  } finally {
    await router.close();
    await server.stop();
  }
}

/** @param {{ projectFolder: string, workFolder: string }} folders */
export async function checkAgentSandbox({ projectFolder, workFolder }) {
  const { parse } = await yamlParser();
  const folder = join(projectFolder, 'deploy/agent-sandbox');
  const objects = await Promise.all(FILES.map(async (name) => parse(await readFile(join(folder, name), 'utf8'))));
  await checkDefinitions(objects, parse, projectFolder);
  await checkRelations(objects, { projectFolder, workFolder });
  await checkServer(objects, { projectFolder, workFolder });
}
