/**
 * The script of a sandbox's thread: restricts itself once and then starts commands, which inherit the restrictions. A file of the build of
 * its own. It decides nothing: plans come from the server, and nothing secret is in here.
 *
 * Nothing asynchronous but the messages: libuv starts its pool in the first thread that uses it, and here all of it would be restricted.
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import koffi from 'koffi';
import { spawnCall } from '../spawn-call.js';
import { KernelCallError, kernelCalls } from './kernel-calls.js';
import { mountOwn, restrictThread } from './restrict-thread.js';
import { SandboxPlanOutdatedError } from './sandbox-errors.js';
import { type SandboxArchitecture, sandboxArchitecture } from './syscall-numbers.js';
import type { ThreadAnswer, ThreadFailure, ThreadRequest } from './thread-messages.js';

const architecture = sandboxArchitecture(process.arch);
if (parentPort === null || architecture === undefined) throw new Error('this script runs as a thread of the server');
serve(parentPort, architecture);

function serve(port: MessagePort, architecture: SandboxArchitecture): void {
  const lib = koffi.load(null);
  const calls = kernelCalls(koffi, lib, architecture);
  const spawn = spawnCall(lib);
  const threadId = calls.threadId();
  let isRestricted = false;

  const answer = (request: Exclude<ThreadRequest, { end: true }>): number => {
    if ('restrict' in request) {
      restrictThread(request.restrict, [...request.serverThreads, threadId], { calls, architecture });
      isRestricted = true;
      return 0;
    }
    if ('spawn' in request) {
      if (!isRestricted) throw new Error('a thread without restrictions starts nothing');
      return spawn.onThisThread(request.spawn);
    }
    mountOwn([], calls);
    return 0;
  };

  port.on('message', (request: ThreadRequest) => {
    if ('end' in request) process.exit();
    let given: ThreadAnswer;
    try {
      given = { result: answer(request) };
    } catch (error) {
      given = { failed: failureOf(error) };
    }
    port.postMessage(given);
  });
}

function failureOf(error: unknown): ThreadFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof KernelCallError) return { message, part: error.part };
  return { message, outdated: error instanceof SandboxPlanOutdatedError };
}
