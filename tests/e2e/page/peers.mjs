// What a user would pick instead, side by side in one page, each with a link of its own, and when each of them opened and closed
// and what it heard, by the page's clock.
import * as reconnecting from './clients/reconnecting-websocket.mjs';
import * as socketIo from './clients/socket.io.mjs';

const CLIENTS = { 'reconnecting-websocket': reconnecting, 'socket.io': socketIo };
const PAYLOAD = 'x'.repeat(200);

/**
 * Resolves when all of `wires`, `{ client, url, sends, opensAfter }`, are open. Those that send do so `perSecond` from then on, by
 * their place.
 */
export async function start({ wires, delays, perSecond }) {
  const peers = await Promise.all(wires.map(async ({ client, url, sends, opensAfter }, at) => {
    await new Promise((resolve) => setTimeout(resolve, opensAfter));
    const log = { opens: [], closes: [], heard: [] };
    const { promise: opened, resolve } = Promise.withResolvers();
    const peer = await CLIENTS[client].open({
      url,
      delays,
      on: {
        open: () => resolve(log.opens.push(Date.now())),
        close: (why) => log.closes.push({ at: Date.now(), why }),
        message: ({ content }) => content !== undefined && log.heard.push(Date.now()),
      },
    });
    await opened;
    return { log, send: () => sends && peer.send(String(at), PAYLOAD) };
  }));
  setInterval(() => peers.forEach(({ send }) => send()), 1000 / perSecond);
  return { report: () => peers.map(({ log }) => log) };
}
