// One of two pages that send to each other, and what it has seen. Everything is looked up by name at the other page.
import { connect } from 'everwire/exactly-once';

let wire;
let room;
const received = [];
const fates = [];
const told = [];
let sent = 0;

/** Connects, joins the room and resolves once it is in. Who is in a hurry dials at once after every loss, as a user who presses a button. */
export async function start({ url, name, hurried }) {
  wire = connect(url, { token: `user:${name}`, echo: true });
  for (const event of ['open', 'close', 'error', 'lost', 'unbacked', 'denied', 'undelivered']) {
    wire.addEventListener(event, (said) => {
      const entry = { what: event, at: Date.now(), cause: said.cause ?? said.error?.code ?? null, willRetry: said.willRetry ?? null };
      told.push(entry);
      window.tell?.(entry);
    });
  }
  if (hurried) wire.addEventListener('reconnecting', () => wire.reconnect());
  room = wire.join('pair');
  room.on('text', (message) => {
    received.push([message.content.from, message.content.at, message.s]);
    window.tell?.({ what: 'received', count: received.length });
  });
  await room.joined;
}

/** Sends so many messages, one every so many milliseconds. */
export async function send({ name, count, everyMs, bytes = 0 }) {
  const filling = 'x'.repeat(bytes);
  for (let at = 0; at < count; at++) {
    const fate = { at, settled: 0, rejected: null };
    fates.push(fate);
    room.send('text', { from: name, at, ...(bytes && { filling }) }).then(
      () => fate.settled++,
      (error) => (fate.rejected = error.code),
    );
    sent++;
    if (everyMs) await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** What is left to hear of. */
export const state = () => ({ received: received.length, unsettled: fates.filter((fate) => !fate.settled && !fate.rejected).length });

export function report() {
  return { sent, received, fates, told, queued: wire.queued, state: wire.state };
}

export const close = () => wire.close();
