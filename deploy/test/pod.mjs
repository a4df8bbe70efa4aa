// Owns the life of one pod as a kubelet leads it: volumes, start, probes, preStop, SIGTERM, grace, SIGKILL. Knows nothing of other pods.
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './command.mjs';
import { ociConfig } from './oci-config.mjs';
import { probe } from './probe.mjs';

const POLL_MS = 100;

/**
 * What all pods of a run share.
 * @typedef {object} Node
 * @property {string} workFolder
 * @property {string} rootFolder the image, mounted
 * @property {object} image its configuration
 * @property {object | undefined} seccomp
 * @property {string} cgroup parent of the pods' cgroups
 * @property {Record<string, string>} secretFiles name → content of every Secret volume
 * @property {{ rootFolder: string, image: object }} [initImage] the image of init containers, mounted, and its configuration
 */

export class Pod {
  /** @param {string} name @param {object} podSpec @param {import('./pod-network.mjs').Place} place @param {Node} node */
  constructor(name, podSpec, place, node) {
    this.name = name;
    this.place = place;
    this.podSpec = podSpec;
    this.container = podSpec.containers[0];
    this.bundle = join(node.workFolder, 'pods', name);
    this.node = node;
    /** Last lines of the container's stderr, for messages. */
    this.said = '';
  }

  /** Host folder of /workspace: it outlives the pod, so that journals can be read. */
  get workspace() {
    return this.#volumeFolder('workspace');
  }

  /** @param {string} path @param {string | number} port a name or a number */
  url(path, port = 'ws', scheme = 'http') {
    const number = this.container.ports.find((candidate) => candidate.name === port)?.containerPort ?? port;
    return `${scheme}://${this.place.ip}:${number}${path}`;
  }

  /** Starts the container and waits for its startup probe, then for its readiness probe. Rejects when the startup probe gives up. */
  async start() {
    await this.#createVolumes();
    for (const container of this.podSpec.initContainers ?? []) await this.#runInit(container);
    await this.#writeConfig(this.node, this.container);
    const startedAt = performance.now();
    const child = spawn('runc', [...this.#runc(), 'run', '--bundle', this.bundle, this.name], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk) => {
      this.said = `${this.said}${chunk}`.slice(-4000);
    });
    this.exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        this.exitCode = code ?? -1;
        resolve();
      });
    });
    await this.#until('startupProbe');
    await this.#until('readinessProbe');
    this.readyMs = performance.now() - startedAt;
  }

  /**
   * Ends the pod: preStop and grace count from here.
   * @returns {Promise<{ exitCode: number, killed: boolean, seconds: number }>} `killed`: the grace was over
   */
  async terminate() {
    const startedAt = performance.now();
    const graceMs = (this.podSpec.terminationGracePeriodSeconds ?? 30) * 1000;
    const graceOver = delay(graceMs, 'over', { ref: false });
    const { sleep, exec } = this.container.lifecycle?.preStop ?? {};
    if (sleep !== undefined) await Promise.race([delay(sleep.seconds * 1000), graceOver]);
    if (exec !== undefined) await Promise.race([this.exec(exec.command), graceOver]);
    await this.signal('TERM');
    const killed = (await Promise.race([this.exited, graceOver])) === 'over';
    if (killed) await this.signal('KILL');
    await this.exited;
    return { exitCode: this.exitCode, killed, seconds: (performance.now() - startedAt) / 1000 };
  }

  /** Sends a signal to PID 1, as a kubelet does. */
  signal(signal) {
    return run(['runc', ...this.#runc(), 'kill', this.name, signal], { check: false });
  }

  /** @param {string[]} argv @returns {Promise<{ code: number | null, stdout: string }>} run inside the container */
  exec(argv) {
    return run(['runc', ...this.#runc(), 'exec', this.name, ...argv], { check: false });
  }

  /** Status of one of the container's own probes, now. */
  probeOnce(name) {
    const { httpGet, timeoutSeconds = 1 } = this.container[name];
    return probe(this.url(httpGet.path, httpGet.port), { timeoutMs: timeoutSeconds * 1000 });
  }

  async #writeConfig({ rootFolder, image }, container) {
    const config = ociConfig(this.podSpec, image, {
      rootFolder,
      volumeFolder: (name) => this.#volumeFolder(name),
      networkNamespace: this.place.namespace,
      cgroup: `${this.node.cgroup}/${this.name}`,
      hostname: this.name,
      seccomp: this.node.seccomp,
      container,
    });
    await writeFile(join(this.bundle, 'config.json'), JSON.stringify(config));
  }

  /** Runs an init container to its end, before the main one. Rejects when it fails. */
  async #runInit(container) {
    await this.#writeConfig(this.node.initImage, container);
    await run(['runc', ...this.#runc(), 'run', '--bundle', this.bundle, `${this.name}-${container.name}`]);
  }

  #runc() {
    return ['--root', join(this.node.workFolder, 'runc')];
  }

  #volumeFolder(name) {
    return join(this.bundle, 'volumes', name);
  }

  /** A kubelet spreads its probes over their period; a test need not wait for that: it asks often and gives up as late as a kubelet. */
  async #until(name) {
    const { failureThreshold = 3, periodSeconds = 10 } = this.container[name];
    const deadline = performance.now() + failureThreshold * periodSeconds * 1000;
    while ((await this.probeOnce(name)) !== 200) {
      if (this.exitCode !== undefined) throw new Error(`${this.name} ended with ${this.exitCode}: ${this.said}`);
      if (performance.now() > deadline) throw new Error(`${this.name}: ${name} gave up: ${this.said}`);
      await delay(POLL_MS);
    }
  }

  async #createVolumes() {
    const group = this.podSpec.securityContext?.fsGroup ?? 0;
    for (const volume of this.podSpec.volumes ?? []) {
      const folder = this.#volumeFolder(volume.name);
      await mkdir(folder, { recursive: true });
      await chown(folder, 0, group);
      // Writable for all and set-group-id, as a kubelet makes an emptyDir with fsGroup.
      await chmod(folder, volume.emptyDir === undefined ? 0o750 : 0o2777);
      for (const [file, content] of volume.secret === undefined ? [] : Object.entries(this.node.secretFiles)) {
        await writeFile(join(folder, file), content);
        await chown(join(folder, file), 0, group);
        await chmod(join(folder, file), volume.secret.defaultMode ?? 0o644);
      }
    }
  }
}
