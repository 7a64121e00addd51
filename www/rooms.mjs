// The rooms of the demo: whose links there are, and who is turned away for a while.

/** Every page brings a room of its own, so that two open tabs do not break each other's links. */
const MAX_ROOMS = 256;
const MAX_LINKS_PER_ROOM = 64;
/** A silenced link holds descriptors that nothing else would ever release: its peer's goodbye is never read. */
export const SILENT_LINK_LIFE_MS = 60_000;
/** Stands for "everybody in the room" where a user's name is expected. */
export const EVERYBODY = '*';

const NAME = /^[\w-]{1,64}$/;

/** `links` are objects with a `user` and a `silent`; what else is in them is their owner's business. */
export class Rooms {
  #rooms = new Map();

  /** The room and the user of `…?room=…&user=…`, or null if these are no names. */
  static asked({ url }) {
    const query = new URL(url, 'http://demo').searchParams;
    const asked = { name: query.get('room') ?? '', user: query.get('user') ?? '' };
    return NAME.test(asked.name) && NAME.test(asked.user) ? asked : null;
  }

  /** The room for one more link, or null if there is none left. */
  enter(name) {
    const room = this.#make(name);
    return room && room.links.size < MAX_LINKS_PER_ROOM ? room : null;
  }

  /** The links in a room, of `user` or of everybody, that still carry something. */
  links(name, user = EVERYBODY) {
    const all = this.#rooms.get(name)?.links ?? [];
    return [...all].filter((link) => !link.silent && (user === EVERYBODY || link.user === user));
  }

  /** From now on the room turns `user` away, or everybody. The only thing that outlasts a call: it makes the room if need be. */
  refuse(name, user, seconds) {
    const room = this.#make(name);
    if (!room) return;
    clearTimeout(room.refused.get(user));
    const end = () => {
      room.refused.delete(user);
      this.sweep(room);
    };
    room.refused.set(user, setTimeout(end, seconds * 1000).unref());
  }

  /** To be called when a link has ended, or has never become one. */
  sweep(room) {
    if (room.links.size === 0 && room.refused.size === 0) this.#rooms.delete(room.name);
  }

  /** Forgets all rooms; returns the links that were in them. */
  clear() {
    const rooms = [...this.#rooms.values()];
    for (const { refused } of rooms) for (const timer of refused.values()) clearTimeout(timer);
    this.#rooms.clear();
    return rooms.flatMap(({ links }) => [...links]);
  }

  #make(name) {
    let room = this.#rooms.get(name);
    if (!room && this.#rooms.size < MAX_ROOMS) {
      room = { name, links: new Set(), refused: new Map() };
      this.#rooms.set(name, room);
    }
    return room;
  }
}
