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
/** The processIds of each connection's running `cat`s: as in a good server, none can take the id of another's. */
const runningOf = new Map();

webSockets.on('connection', (socket) => {
  runningOf.set(socket, new Set());
  socket.on('error', () => {});
  socket.on('close', () => runningOf.delete(socket));
  socket.on('message', (data) => {
    try {
      take(socket, JSON.parse(String(data)));
    } catch {
      // Hostile input gets no answer.
    }
  });
});

/** The connections whose command under this id a connection reaches. */
function reached(socket, processId) {
  const reachable = hole === 'reach' ? [...runningOf.keys()] : [socket];
  return reachable.filter((owner) => runningOf.get(owner).has(processId));
}

function take(socket, { id, method, params }) {
  const answer = (reply) => socket.send(JSON.stringify({ id, ...reply }));
  const processId = params?.processId;
  switch (method) {
    case 'initialize':
      return answer({ result: {} });
    case 'command/exec':
      if (params.command[0] === '/bin/cat') runningOf.get(socket).add(processId);
      else answer({ result: { stdout: `${params.command[1]}\n` } });
      return undefined;
    case 'command/exec/write': {
      const owners = reached(socket, processId);
      if (owners.length === 0) return answer({ error: { code: -32600, message: 'no active command' } });
      answer({ result: {} });
      const delta = JSON.stringify({
        method: 'command/exec/outputDelta',
        params: { processId, deltaBase64: params.deltaBase64 },
      });
      for (const reader of hole === 'read' ? webSockets.clients : owners) reader.send(delta);
      return undefined;
    }
    case 'command/exec/terminate':
      for (const owner of reached(socket, processId)) runningOf.get(owner).delete(processId);
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
