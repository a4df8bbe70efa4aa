/** A program that starts threads and ends with code 3 while they begin. Arguments: the thread's script, and milliseconds before the end. */
import { endServer } from '../../../src/cli/end-server.js';
import { loadLibc } from '../../../src/process/libc.js';
import { SandboxThread } from '../../../src/process/sandbox/sandbox-thread.js';

const [, , script = '', delayMs = '0'] = process.argv;
process.once('exit', (code) => process.stdout.write(`exit ${code}\n`));
await loadLibc();
for (let count = 0; count < 8; count += 1) new SandboxThread(script);
setTimeout(() => endServer(3), Number(delayMs));
