// A chat server as most tutorials write it: plain `ws`, nothing of everwire inside. It greets, forwards every
// message to everybody as it came, and has the three limits a public server needs: a token, a size, a rate.
import { pathToFileURL } from 'node:url';
import { WebSocketServer, WebSocket } from 'ws';

/**
 * Starts the server and resolves once it listens.
 * @param {object} [options]
 * @param {string} [options.host] address to listen on
 * @param {number} [options.port] 0 picks a free one
 * @param {string | string[]} [options.token] what a client must offer as its last subprotocol; none: everybody may enter
 * @param {number} [options.maxMessageBytes] a longer message closes its connection with 1009
 * @param {number} [options.maxMessagesPerSecond] a faster client is closed with 1008
 * @returns {Promise<{url: string, port: number, wss: WebSocketServer, close: () => Promise<void>}>}
 */
export async function startServer({
  host = '127.0.0.1',
  port = 0,
  token,
  maxMessageBytes = 1024 * 1024,
  maxMessagesPerSecond = 1000,
} = {}) {
  const tokens = token ? [token].flat() : null;
  const wss = new WebSocketServer({ host, port, maxPayload: maxMessageBytes });

  wss.on('connection', (socket, request) => {
    // `ws` itself closes with 1009 when a message is too long; without this listener that would end the process.
    socket.on('error', () => {});

    // A browser cannot set headers on a WebSocket, so the token travels as a subprotocol. The handshake is accepted
    // first and refused with a close code after: page code cannot read the HTTP status of a failed handshake.
    if (tokens && !tokens.includes(offered(request).at(-1))) {
      socket.close(1008, 'invalid token');
      return;
    }

    const withinRate = rateLimit(maxMessagesPerSecond);
    socket.on('message', (data) => {
      if (!withinRate()) {
        socket.close(1008, 'too many messages');
        return;
      }
      // As it came: `data` is a Buffer, so what arrived as text leaves as a binary frame. Everybody gets it, the
      // sender and its heartbeats included.
      for (const client of wss.clients) {
        if (client.readyState === WebSocket.OPEN) client.send(data);
      }
    });

    socket.send(JSON.stringify({ type: 'welcome', message: 'Hello from the server' }));
  });

  await new Promise((resolve, reject) => wss.once('listening', resolve).once('error', reject));
  const actualPort = wss.address().port;
  return {
    url: `ws://${host}:${actualPort}`,
    port: actualPort,
    wss,
    close: () =>
      new Promise((resolve) => {
        for (const client of wss.clients) client.terminate();
        wss.close(() => resolve());
      }),
  };
}

/** The subprotocols that the client offered, in its order. */
function offered(request) {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header.split(',').map((protocol) => protocol.trim()).filter(Boolean);
}

/** A token bucket that holds one second's worth: `() => false` once it is empty. */
function rateLimit(perSecond) {
  let left = perSecond;
  let last = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(perSecond, left + ((now - last) / 1000) * perSecond);
    last = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { HOST, PORT, TOKEN, MAX_MESSAGE_BYTES, MAX_MESSAGES_PER_SECOND } = process.env;
  const server = await startServer({
    host: HOST || undefined,
    port: Number(PORT ?? 8081),
    token: TOKEN,
    maxMessageBytes: Number(MAX_MESSAGE_BYTES) || undefined,
    maxMessagesPerSecond: Number(MAX_MESSAGES_PER_SECOND) || undefined,
  });
  console.log(`listening at ${server.url}${TOKEN ? ' (token required)' : ''}`);
}
