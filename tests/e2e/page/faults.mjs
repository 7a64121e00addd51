// The page of the fault runs: opens one client, sends by a timer, writes down what happens. The same for every client.
import * as bare from './clients/bare-socket.mjs';
import * as everwire from './clients/everwire.mjs';
import * as partysocket from './clients/partysocket.mjs';
import * as reconnecting from './clients/reconnecting-websocket.mjs';
import * as socketIo from './clients/socket.io.mjs';

const CLIENTS = {
  everwire,
  'bare socket + retry': bare,
  'reconnecting-websocket': reconnecting,
  partysocket,
  'socket.io': socketIo,
};

let client;
const tell = (what, detail) => window.tell({ what, ...detail });
const feed = [];
const sentAt = [];

/** Tells the test: open, close, sent-all. */
export async function start({ name, url, delays, heartbeat, count, everyMs }) {
  const { promise: opened, resolve } = Promise.withResolvers();
  client = await CLIENTS[name].open({
    url,
    delays,
    heartbeat,
    on: {
      open: () => {
        resolve();
        tell('open', { at: Date.now() });
      },
      close: (why) => tell('close', { at: Date.now(), why }),
      message: (message) => message.type === 'feed' && feed.push(message.content),
    },
  });
  await opened;
  let n = 0;
  const timer = setInterval(() => {
    sentAt.push({ open: client.isOpen() });
    client.send(`m${n}`, n);
    n += 1;
    if (n < count) return;
    clearInterval(timer);
    tell('sent-all', { at: Date.now() });
  }, everyMs);
}

/** Ends when every message has left the client, as far as the client can tell. */
export async function finish() {
  await client.finish();
}

export function report() {
  return { ...client.report(), feed, sent: sentAt.length, sentWhileNotOpen: sentAt.filter(({ open }) => !open).length };
}
