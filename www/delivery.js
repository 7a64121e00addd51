// The two ways of delivery. **Read this to see everwire used**: here are its `connect`s.
import { connect } from '/pkg/index.js';

/** The default is 30 s: here a link that was silenced is to be noticed while you watch. */
const HEARTBEAT_MS = 5000;

/**
 * By name, a promise of what opens a wire for a user: `open(user, deliver, report)` → { wire, send(text, id) }. `user` has id, peer
 * and room; `deliver(message)` is called for what came from the peer, `report(event, detail)` for what belongs into the log.
 */
export const DELIVERIES = {
  'best-effort': async () => openBestEffort,
  // An entry of its own, of which nobody who needs best effort loads a byte.
  'exactly-once': async () => openExactlyOnce.bind(null, await import('/pkg/exactly-once.js')),
};

/** Any WebSocket server will do. This one forwards to whoever is there, the author included. */
function openBestEffort({ id: me, peer, room }, deliver, report) {
  const wire = connect(`/chat?room=${room}&user=${me}`, { sender: me, heartbeatInterval: HEARTBEAT_MS, expectReply: true });
  wire.on('text', (message) => {
    if (message.sender !== me) deliver(message);
  });
  wire.on('welcome', (greeting) => report('greeting', String(greeting.message)));
  return { wire, send: (text, id) => wire.send('text', text, { to: peer.toLowerCase(), id }) };
}

/** A server that speaks everwire.v1: a receipt says that a message is stored, and everybody in the room gets it once and in order. */
function openExactlyOnce({ connect }, user, deliver, report) {
  const wire = connect(`/session?room=${user.room}&user=${user.id}`, { heartbeatInterval: HEARTBEAT_MS });
  const room = wire.join(`room_${user.room}`);

  // A wire hears what is stored from its join on. What was stored before, since this user's last wire, is in the history.
  let early = [];
  /** What came by both ways is one message: those of the history whose own arrival is still to come. */
  const known = new Set();
  const live = (message) => known.delete(message.s) || deliver(message);
  room.on('text', (message) => {
    if (user.identities.has(message.sender)) return; // a wire tells its own messages by their ids, and ours are not its own
    if (early) early.push(message);
    else live(message);
  });
  missed(wire, room, user.position).then(
    (messages) => {
      for (const message of messages) {
        if (user.identities.has(message.sender)) continue;
        known.add(message.s);
        deliver(message);
      }
      const waiting = early;
      early = null;
      waiting.forEach(live);
    },
    (error) => wire.state !== 'closed' && report('error', `history: ${error.message}`),
  );

  wire.addEventListener('denied', ({ room, code }) => report('error', `denied: ${room}, ${code}`));
  wire.addEventListener('lost', ({ rooms }) => report('error', `lost: messages of ${rooms.join(', ')}`));
  wire.addEventListener('unbacked', ({ ids }) => report('error', `unbacked: ${ids.length} receipts`));
  return { wire, send: (text, id) => room.send('text', text, { id }) };
}

/** The history of a room after `position`, or all of it. */
async function missed(wire, room, position) {
  await room.joined;
  const isNews = ({ logEpoch, s }) => logEpoch !== position?.logEpoch || s > position.s;
  const found = [];
  for (let before = null; ; ) {
    const page = await room.history({ before, count: 256 }).catch(async (error) => {
      if (error.code !== 'link-lost') throw error;
      if (wire.state !== 'open') await new Promise((resolve) => wire.addEventListener('open', resolve, { once: true }));
    });
    if (!page) continue; // the connection ended before it came
    found.unshift(...page.messages.filter(isNews)); // a page is oldest first, and older than the one before
    if (!page.older || !page.messages.every(isNews)) return found;
    before = page.older;
  }
}
