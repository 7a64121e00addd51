// One of two pages that send to each other, and what it has seen. Everything is looked up by name at the other page.
import { connect } from 'everwire/exactly-once';

let wire;
let room;
let me;
let marker; // in every content
const drawn = []; // whatever may be a producer, as a log would show it
const received = []; // [from, at], in the order of arrival
const fates = [];
const told = []; // `after` so many messages
let stopped = false;
let receipts = []; // ids that the present log of the server vouches for

/** Connects, joins the room and resolves once it is in. Who is in a hurry dials at once after every loss, as a user who presses a button. */
export async function start({ url, name, token, hurried, marker: mark }) {
  [me, marker] = [name, mark];
  watchDraws();
  wire = connect(url, { token, echo: true });
  const report = (what, detail) => {
    const entry = { what, after: received.length, time: Date.now(), ...detail };
    told.push(entry);
    window.tell(entry);
  };
  const events = {
    open: ({ durable }) => ({ durable }),
    close: ({ cause, willRetry, clause }) => ({ cause, willRetry, clause }),
    error: ({ error }) => ({ code: error.code, message: error.message }),
    lost: ({ rooms }) => ({ rooms }),
    unbacked: ({ ids }) => ({ ids, unreported: unreported(ids) }),
    denied: ({ room, code }) => ({ room, code }),
    undelivered: ({ id, reason }) => ({ id, reason }),
  };
  for (const [what, detail] of Object.entries(events)) wire.addEventListener(what, (event) => report(what, detail(event)));
  if (hurried) wire.addEventListener('reconnecting', () => wire.reconnect());
  room = wire.join('pair');
  room.on('text', ({ content }) => {
    received.push([content.from, content.at]);
    window.tell({ what: 'received', count: received.length });
  });
  room.on('end', ({ content }) => window.tell({ what: 'end', from: content.from }));
  await room.joined;
}

/** Producers are drawn, 16 octets each, and told to nobody but the server. */
function watchDraws() {
  const draw = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (array) => {
    draw(array);
    if (array instanceof Uint8Array) {
      for (let at = 0; at + 16 <= array.length; at += 16) {
        const octets = Array.from(array.subarray(at, at + 16));
        drawn.push(octets.map((octet) => octet.toString(16).padStart(2, '0')).join(''), octets.join(', '));
      }
    }
    return array;
  };
}

/** The receipts of the log that has just been found gone which an event does not name; it names 1,024 at the most. */
function unreported(ids) {
  const named = new Set(ids);
  const missing = receipts.slice(-1024).filter((id) => !named.has(id));
  receipts = [];
  return missing;
}

/** Sends so many messages, or until `stop()`, one every so many milliseconds, and tells when the fate of each is known. Does not wait for it. */
export function send({ count = Infinity, everyMs, long }) {
  const all = async () => {
    const known = [];
    for (let at = 0; at < count && !stopped; at++) {
      known.push(sendOne(at, long && at % long.every === long.every - 1 ? 'x'.repeat(long.bytes) : undefined));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    await Promise.all(known);
    window.tell({ what: 'decided' });
  };
  void all();
}

export function stop() {
  stopped = true;
}

function sendOne(at, filling) {
  const fate = { at, settled: 0, rejected: null, durable: null };
  fates.push(fate);
  const id = `${me} ${at}`;
  return room.send('text', { from: me, at, filling, marker }, { id }).then(
    ({ durable }) => {
      fate.settled++;
      fate.durable = durable;
      receipts.push(id);
    },
    ({ code }) => (fate.rejected = code),
  );
}

/** Sends what stands behind everything else: who has it has all that will come. */
export async function finish() {
  await room.send('end', { from: me, marker });
}

export const report = () => ({ received, fates, told, drawn, queued: wire.queued, state: wire.state });

export const close = () => wire.close();
