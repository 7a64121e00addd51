// The chat behind the demo page: what a `ws` tutorial builds, plus the means to break it for real.
//
// It stores nothing and confirms nothing. A frame goes out to everybody who is connected at that moment, as the Buffer in
// which `ws` hands it over, and therefore as a binary frame.
import { STATUS_CODES } from 'node:http';
import { WebSocketServer } from 'ws';

/** Every page brings a room of its own, so that two open tabs do not break each other's links. */
const MAX_ROOMS = 256;
const MAX_LINKS_PER_ROOM = 64;
const MAX_FRAME_BYTES = 1024 * 1024;
/** A silenced link holds a descriptor that nothing else would ever release: its peer's goodbye is never read. */
const SILENT_LINK_LIFE_MS = 60_000;
/** Stands for "everybody in the room" where a user's name is expected. */
const EVERYBODY = '*';

/** The actions after which new links are refused for a while. */
const REFUSALS = ['refuse', 'restart'];

const NAME = /^[\w-]{1,64}$/;

export class Chat {
  #rooms = new Map();
  #sockets = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: MAX_FRAME_BYTES });

  /** Takes over an HTTP upgrade to `/chat?room=…&user=…`. */
  upgrade(request, socket, head) {
    socket.on('error', () => socket.destroy());
    const query = new URL(request.url, 'http://demo').searchParams;
    const user = query.get('user') ?? '';
    const name = query.get('room') ?? '';
    if (!NAME.test(user) || !NAME.test(name)) return answer(socket, 400);

    const room = this.#room(name);
    if (!room || room.links.size >= MAX_LINKS_PER_ROOM) return answer(socket, 503);
    // Two ways to be turned away, as in the field: a machine that is gone, and one that answers "not now".
    if (room.refused.has(EVERYBODY)) return socket.resetAndDestroy();
    if (room.refused.has(user)) return answer(socket, 503);

    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#welcome(room, { client, socket, user, silent: false }));
    this.#sweep(room); // `ws` has refused a handshake that is none, and called nobody
  }

  /**
   * Breaks links. Without `user` the action is for everybody in the room. Returns how many links it touched, or null for an
   * unknown action.
   */
  control(action, { room: name, user = EVERYBODY, seconds = 1 }) {
    // Only a refusal outlasts the call: a room that is not there yet is made for nothing else.
    const room = REFUSALS.includes(action) ? this.#room(name) : this.#rooms.get(name);
    if (!room && REFUSALS.includes(action)) return 0;
    const links = [...(room?.links ?? [])].filter((link) => !link.silent && (user === EVERYBODY || link.user === user));
    switch (action) {
      case 'kill':
        for (const { socket } of links) socket.resetAndDestroy();
        break;
      case 'refuse':
        this.#refuse(room, user, seconds);
        for (const { socket } of links) socket.resetAndDestroy();
        break;
      case 'silence':
        for (const link of links) this.#silence(link);
        break;
      case 'close':
        for (const { client } of links) client.close(1000, 'goodbye');
        break;
      case 'restart':
        this.#refuse(room, EVERYBODY, seconds);
        for (const { client } of links) client.close(1012, 'the server restarts');
        break;
      default:
        return null;
    }
    return links.length;
  }

  /** Ends everything, for the end of the process. */
  shutDown() {
    for (const room of this.#rooms.values()) {
      for (const timer of room.refused.values()) clearTimeout(timer);
      for (const { client } of room.links) client.terminate();
    }
    this.#rooms.clear();
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
      this.#sweep(room);
    });
    client.send(JSON.stringify({ type: 'welcome', message: `Hello ${user}, links in this room: ${room.links.size}` }));
  }

  /** Half-open: the TCP connection stays and acknowledges, but nobody reads or writes on this end any more. */
  #silence(link) {
    link.silent = true;
    link.client.pause();
    link.expiry = setTimeout(() => link.client.terminate(), SILENT_LINK_LIFE_MS).unref();
  }

  #refuse(room, user, seconds) {
    clearTimeout(room.refused.get(user));
    const end = () => {
      room.refused.delete(user);
      this.#sweep(room);
    };
    room.refused.set(user, setTimeout(end, seconds * 1000).unref());
  }

  #room(name) {
    let room = this.#rooms.get(name);
    if (!room && this.#rooms.size < MAX_ROOMS) {
      room = { name, links: new Set(), refused: new Map() };
      this.#rooms.set(name, room);
    }
    return room;
  }

  #sweep(room) {
    if (room.links.size === 0 && room.refused.size === 0) this.#rooms.delete(room.name);
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
