// Every case, in the order in which a round runs them.

import {
  attachFirstByte,
  attachLogCost,
  attachMemory,
  attachObserverCost,
  attachReplay,
  attachScreenCost,
} from './attach.mjs';
import { cli } from './cli.mjs';
import { connections } from './connections.mjs';
import { echoOtherConnection, echoQuiet, echoSameConnection } from './echo.mjs';
import { growthConnections, growthTerminals } from './growth.mjs';
import { kills } from './kills.mjs';
import { memory, memory10k } from './memory.mjs';
import { pipelined, roundTrip } from './requests.mjs';
import { sandboxedParallel, sandboxedTrue, sandboxMemory } from './sandboxed.mjs';
import { trueParallel, truePipes, truePty } from './short-commands.mjs';
import { start } from './start.mjs';
import { pipeStream, ptyStream, stdin } from './streams.mjs';

/** @type {import('../case.mjs').Case[]} */
export const ALL_CASES = [
  start,
  cli,
  memory,
  memory10k,
  roundTrip,
  pipelined,
  truePipes,
  truePty,
  trueParallel,
  sandboxedTrue,
  sandboxedParallel,
  sandboxMemory,
  pipeStream,
  ptyStream,
  stdin,
  echoQuiet,
  echoOtherConnection,
  echoSameConnection,
  connections,
  kills,
  growthConnections,
  growthTerminals,
  attachReplay,
  attachFirstByte,
  attachMemory,
  attachLogCost,
  attachScreenCost,
  attachObserverCost,
];
