// How a page tells its test what has happened, in the order in which it has, whichever browser it lives in: a plain WebSocket
// to the site's own server, past every proxy.
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

/** Takes the upgrades of the site's server. */
export function openChannels(server) {
  const hearers = new Map(); // path → what is called with each message
  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const hear = hearers.get(request.url);
    if (!hear) return socket.destroy();
    wss.handleUpgrade(request, socket, head, (ws) => ws.on('message', (data) => hear(JSON.parse(data))));
  });
  return {
    open(base, hear) {
      const path = `/channel/${randomUUID()}`;
      hearers.set(path, hear);
      return { url: base + path, close: () => hearers.delete(path) };
    },
    close: () => wss.clients.forEach((client) => client.terminate()),
  };
}

/** Runs in the page: `window.tell(message)` from now on. */
export async function listen(url) {
  const socket = new WebSocket(url);
  window.tell = (message) => socket.send(JSON.stringify(message));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('no channel to the test'));
  });
}
