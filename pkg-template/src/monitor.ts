// What a wire has done, in numbers; its last events; and the user's logger. Nothing in here ever holds a content, a token,
// a url, an id or a name: of an event only the fields below are kept, and they are codes, numbers and flags.
import type { Logger, RecentEvent } from '../types/index.js';

/** How many events are kept: an hour of an ordinary link, minutes of a very bad one. */
const RECENT_MAX = 200;
/** Not `reason`: that of a `close` event is the server's text. */
const KEPT = new Set(
  'state link attempts attempt delay code cause clause wasClean willRetry retryIn durable'.split(' '),
);

type Level = keyof Logger;
type Details = Record<string, string | number | boolean | null>;

const LEVELS: Record<string, Level> = { statechange: 'debug', open: 'info', error: 'error' };

export class Monitor {
  sent = { messages: 0, bytes: 0 };
  received = { frames: 0, messages: 0, bytes: 0 };
  settled = 0;
  #undelivered = 0;
  #links = 0;
  #causes: Record<string, number> = {};
  #recent: { time: number; name: string; details: Details }[] = [];
  #next = 0;
  #logger: Logger | undefined;
  #queue: (task: () => void) => void;

  constructor(logger: Logger | undefined, queue: (task: () => void) => void) {
    this.#logger = logger;
    this.#queue = queue;
  }

  wrote(bytes: number): void {
    this.sent.messages++;
    this.sent.bytes += bytes;
  }

  /** A frame has come, whose body has so many bytes. */
  read(bytes: number): void {
    this.received.frames++;
    this.received.bytes += bytes;
  }

  /** An event has happened. */
  note(name: string, fields: object): void {
    const details: Details = {};
    for (const [key, value] of Object.entries(fields)) if (KEPT.has(key)) details[key] = value;
    const cause = details.cause as string;
    if (name === 'open') this.#links++;
    if (name === 'reconnecting') this.#causes[cause] = (this.#causes[cause] ?? 0) + 1;
    this.#keep(name, details);
  }

  failed(code: string): void {
    this.#keep('error', { code });
  }

  /** Many at once are one event: a lost link must not push its own cause out of the ring. */
  undelivered(reason: string, cause: string): void {
    this.#undelivered++;
    const { name, details } = this.#recent.at(this.#next - 1) ?? {};
    if (name === 'undelivered' && details!.reason === reason && details!.cause === cause) (details!.messages as number)++;
    else this.#keep('undelivered', { reason, cause, messages: 1 });
  }

  /** Oldest first. */
  recent(): RecentEvent[] {
    const all = [...this.#recent.slice(this.#next), ...this.#recent.slice(0, this.#next)];
    return all.map((event) => Object.freeze({ ...event, details: Object.freeze({ ...event.details }) }));
  }

  /** The part of `stats()` that is counted here: copies. */
  counts() {
    return {
      sent: { ...this.sent },
      received: { ...this.received },
      settled: this.settled,
      undelivered: this.#undelivered,
      links: this.#links,
      reconnects: { ...this.#causes },
    };
  }

  #keep(name: string, details: Details): void {
    this.#recent[this.#next] = { time: Date.now(), name, details };
    this.#next = (this.#next + 1) % RECENT_MAX;
    const logger = this.#logger;
    if (!logger) return;
    const level = LEVELS[name] ?? (name === 'close' && details.cause === 'closed-by-user' ? 'info' : 'warn');
    const told = { ...details };
    // The logger is code of the user.
    this.#queue(() => {
      try {
        const result: any = logger[level]('everwire: ' + name, told);
        result?.then?.(undefined, () => {});
      } catch {
        // It is there to watch, not to take part.
      }
    });
  }
}

/** An object of figures and of objects of figures, as nobody can change it. */
export function frozen<T extends object>(figures: T): T {
  Object.values(figures).forEach(Object.freeze);
  return Object.freeze(figures);
}
