// The chat behind best effort: what a `ws` tutorial builds, plus the means to break it for real.
//
// It stores nothing and confirms nothing. A frame goes out to everybody who is connected at that moment, as the Buffer in
// which `ws` hands it over, and therefore as a binary frame.
import { STATUS_CODES } from 'node:http';
import { WebSocketServer } from 'ws';
import { EVERYBODY, Rooms, SILENT_LINK_LIFE_MS } from './rooms.mjs';

const MAX_FRAME_BYTES = 1024 * 1024;

export class Chat {
  #rooms = new Rooms();
  #sockets = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: MAX_FRAME_BYTES });

  /** Takes over an HTTP upgrade to `/chat?room=…&user=…`. */
  upgrade(request, socket, head) {
    socket.on('error', () => socket.destroy());
    const asked = Rooms.asked(request);
    if (!asked) return answer(socket, 400);
    const { name, user } = asked;
    const room = this.#rooms.enter(name);
    if (!room) return answer(socket, 503);
    // Two ways to be turned away, as in the field: a machine that is gone, and one that answers "not now".
    if (room.refused.has(EVERYBODY)) return socket.resetAndDestroy();
    if (room.refused.has(user)) return answer(socket, 503);

    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#welcome(room, { client, socket, user, silent: false }));
    this.#rooms.sweep(room); // `ws` has refused a handshake that is none, and called nobody
  }

  /**
   * Breaks links. Without `user` the action is for everybody in the room. Returns how many links it touched, or null for an
   * unknown action.
   */
  control(action, { room: name, user = EVERYBODY, seconds = 1 }) {
    const links = this.#rooms.links(name, user);
    switch (action) {
      case 'kill':
        for (const { socket } of links) socket.resetAndDestroy();
        break;
      case 'refuse':
        this.#rooms.refuse(name, user, seconds);
        for (const { socket } of links) socket.resetAndDestroy();
        break;
      case 'silence':
        for (const link of links) this.#silence(link);
        break;
      case 'close':
        for (const { client } of links) client.close(1000, 'goodbye');
        break;
      case 'restart':
        this.#rooms.refuse(name, EVERYBODY, seconds);
        for (const { client } of links) client.close(1012, 'the server restarts');
        break;
      default:
        return null;
    }
    return links.length;
  }

  /** Ends everything, for the end of the process. */
  shutDown() {
    for (const { client } of this.#rooms.clear()) client.terminate();
  }

  #welcome(room, link) {
    const { client, user } = link;
    room.links.add(link);
    client.on('message', (data) => {
      if (link.silent) return; // what `ws` had read before the link fell silent
      if (isHeartbeat(data)) return client.send(data);
      for (const other of room.links) if (!other.silent) other.client.send(data);
    });
    client.on('error', () => {}); // 'close' follows
    client.on('close', () => {
      clearTimeout(link.expiry);
      room.links.delete(link);
      this.#rooms.sweep(room);
    });
    client.send(JSON.stringify({ type: 'welcome', message: `Hello ${user}, links in this room: ${room.links.size}` }));
  }

  /** Half-open: the TCP connection stays and acknowledges, but nobody reads or writes on this end any more. */
  #silence(link) {
    link.silent = true;
    link.client.pause();
    link.expiry = setTimeout(() => link.client.terminate(), SILENT_LINK_LIFE_MS).unref();
  }
}

function answer(socket, status) {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** An application's own text may well contain the word: hence a parse, and only of what is small enough to be a heartbeat. */
function isHeartbeat(data) {
  if (data.length > 64) return false;
  try {
    return JSON.parse(data.toString()).type === 'heartbeat';
  } catch {
    return false;
  }
}
