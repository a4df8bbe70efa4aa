/**
 * The script of a thread that starts commands: restricts itself once, or takes a user's rights on files, and what it starts inherits that. A
 * file of the build of its own. It decides nothing: plans come from the server, and nothing secret is in here.
 *
 * Nothing asynchronous but the messages: libuv starts its pool in the first thread that uses it, and here all of it would be restricted.
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import koffi from 'koffi';
import { SpawnError } from '../os-process.js';
import { checkPaths } from '../program-path.js';
import { spawnCall } from '../spawn-call.js';
import { callMemory } from './call-memory.js';
import { KernelCallError, kernelCalls } from './kernel-calls.js';
import { mountOwn, restrictThread } from './restrict-thread.js';
import { SandboxPlanOutdatedError } from './sandbox-errors.js';
import { type SandboxArchitecture, sandboxArchitecture } from './syscall-numbers.js';
import { threadFiles } from './thread-files.js';
import type { ThreadAnswer, ThreadEnd, ThreadFailure, ThreadRequest } from './thread-messages.js';

const architecture = sandboxArchitecture(process.arch);
if (parentPort === null || architecture === undefined) throw new Error('this script runs as a thread of the server');
serve(parentPort, architecture);

function serve(port: MessagePort, architecture: SandboxArchitecture): void {
  const lib = koffi.load(null);
  const calls = kernelCalls(koffi, lib, architecture);
  const files = threadFiles(calls);
  const spawn = spawnCall(lib);
  const threadId = calls.threadId();
  let isReady = false;

  const answer = async (request: Exclude<ThreadRequest, { end: true }>): Promise<number> => {
    if ('restrict' in request) {
      restrictThread(request.restrict, [...request.serverThreads, threadId], { calls, architecture });
      isReady = true;
    } else if ('become' in request) {
      calls.takeFileRights(request.become);
      isReady = true;
    } else if ('tryMounts' in request) {
      mountOwn([], calls);
    } else {
      if (!isReady) throw new Error('a thread without restrictions starts nothing');
      if ('spawn' in request) return spawn.onThisThread(request.spawn);
      await checkPaths(request.check, files);
    }
    return 0;
  };
  const serveOne = async (request: ThreadRequest): Promise<void> => {
    if ('end' in request) {
      port.postMessage({ leaves: callMemory(koffi, lib) } satisfies ThreadEnd);
      process.exit();
    }
    let given: ThreadAnswer;
    try {
      given = { result: await answer(request) };
    } catch (error) {
      given = { failed: failureOf(error) };
    }
    port.postMessage(given);
  };

  let last = Promise.resolve();
  port.on('message', (request: ThreadRequest) => {
    // A check takes a few turns of the queue of promises, though it waits for nothing.
    last = last.then(() => serveOne(request));
  });
}

function failureOf(error: unknown): ThreadFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof KernelCallError) return { message, part: error.part };
  if (error instanceof SpawnError) return { message, errno: error.errno };
  return { message, outdated: error instanceof SandboxPlanOutdatedError };
}
