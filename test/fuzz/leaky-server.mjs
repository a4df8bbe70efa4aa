// A server with one hole, named by its `--hole` flag, so that a test can show that a fuzz run finds it. Runs no program: it only acts like `echo` and
// `cat`.
//   reach  every connection can end every other's commands
//   read   every connection gets every other's output
//   none   neither
import { createServer } from 'node:http';
import { argv } from 'node:process';
import { WebSocketServer } from 'ws';

const hole = argv[argv.indexOf('--hole') + 1];
const server = createServer((_request, response) => response.end());
const webSockets = new WebSocketServer({ server });
/** Owner of each running `cat` by processId. All connections share this table, as they must not in a good server. */
const owners = new Map();

webSockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('close', () => {
    for (const [processId, owner] of owners) if (owner === socket) owners.delete(processId);
  });
  socket.on('message', (data) => {
    try {
      take(socket, JSON.parse(String(data)));
    } catch {
      // Hostile input gets no answer.
    }
  });
});

function take(socket, { id, method, params }) {
  const answer = (reply) => socket.send(JSON.stringify({ id, ...reply }));
  const processId = params?.processId;
  const owner = owners.get(processId);
  const isReachable = owner === socket || (hole === 'reach' && owner != null);
  switch (method) {
    case 'initialize':
      return answer({ result: {} });
    case 'command/exec':
      if (params.command[0] === '/bin/cat' && owner === undefined) owners.set(processId, socket);
      else answer({ result: { stdout: `${params.command[1]}\n` } });
      return undefined;
    case 'command/exec/write': {
      if (!isReachable) return answer({ error: { code: -32600, message: 'no active command' } });
      answer({ result: {} });
      const delta = JSON.stringify({
        method: 'command/exec/outputDelta',
        params: { processId, deltaBase64: params.deltaBase64 },
      });
      for (const reader of hole === 'read' ? webSockets.clients : [owner]) reader.send(delta);
      return undefined;
    }
    case 'command/exec/terminate':
      // An id that another connection has ended stays taken, because the next command under it would also read what the first owner writes.
      if (owner === socket) owners.delete(processId);
      else if (isReachable) owners.set(processId, null);
      return answer({ result: {} });
    default:
      return answer({ error: { code: -32601, message: 'unknown' } });
  }
}

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  process.stderr.write(`listening on: ws://127.0.0.1:${port}\nhealthz: http://127.0.0.1:${port}/healthz\n`);
});
process.on('SIGTERM', () => process.exit(0));
