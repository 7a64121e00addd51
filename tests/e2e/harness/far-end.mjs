// The far end of a fault run: a server that writes down the ids of what it receives, in order, and may feed its
// clients. For everwire and the socket-like peers it is examples/node-server, unchanged.
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { Server as SocketIoServer } from 'socket.io';
import { startServer } from '../../../examples/node-server/server.mjs';

const FEED_EVERY_MS = 5;

class FarEnd extends EventEmitter {
  /** Ids of the page's messages in the order of arrival, repetitions included. */
  received = [];
  /** Connections so far, and what the newest one has carried. */
  connections = 0;
  onNewest = 0;
  fed = 0;
  #feedTimer;

  connected() {
    this.connections += 1;
    this.onNewest = 0;
    this.emit('change');
    return this.connections;
  }

  took(connection, { id, type }) {
    if (type === 'text') this.received.push(id);
    if (connection === this.connections) this.onNewest += 1;
    this.emit('change');
  }

  feed(send) {
    this.#feedTimer = setInterval(() => {
      send({ id: `f${this.fed}`, type: 'feed', sender: 'server', receiver: null, content: this.fed, timestamp: Date.now() });
      this.fed += 1;
    }, FEED_EVERY_MS);
  }

  stopFeed() {
    clearInterval(this.#feedTimer);
  }
}

/** `kind` is `ws` or `socket.io`. With `feed` every client gets 200 messages a second. */
export async function startFarEnd({ kind, feed }) {
  return kind === 'socket.io' ? startSocketIo(feed) : startWs(feed);
}

async function startWs(feed) {
  const far = new FarEnd();
  // The peers flush what waited in one burst: the rate limit is tried elsewhere and must not decide this table.
  const server = await startServer({ maxMessagesPerSecond: 10_000 });
  server.wss.on('connection', (socket) => {
    const connection = far.connected();
    socket.on('message', (data) => far.took(connection, JSON.parse(data)));
  });
  if (feed) {
    far.feed((message) => {
      const text = JSON.stringify(message);
      for (const client of server.wss.clients) if (client.readyState === 1) client.send(text);
    });
  }
  far.port = server.port;
  far.close = () => {
    far.stopFeed();
    return server.close();
  };
  return far;
}

async function startSocketIo(feed) {
  const far = new FarEnd();
  const http = createServer();
  // Its heartbeat is the server's: 5 s, as everwire's in these runs (its defaults are 25 s + 20 s). State recovery is on.
  const io = new SocketIoServer(http, {
    pingInterval: 5000,
    pingTimeout: 2000,
    transports: ['websocket'],
    connectionStateRecovery: {},
    serveClient: false,
  });
  io.on('connection', (socket) => {
    const connection = far.connected();
    socket.on('message', (message) => {
      far.took(connection, message);
      io.emit('message', message);
    });
  });
  if (feed) far.feed((message) => io.emit('message', message));
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  far.port = http.address().port;
  far.close = () => {
    far.stopFeed();
    return new Promise((resolve) => {
      http.closeAllConnections();
      io.close(resolve);
    });
  };
  return far;
}
