// The second server that the client must work with unchanged: the first page of every tutorial. No limits, no
// thought of heartbeats, every Buffer forwarded as it came to everybody.
import { WebSocketServer } from 'ws';

/**
 * @param {object} [options]
 * @param {string | string[]} [options.token] accepted tokens; a wrong one is closed with 1008
 * @param {boolean} [options.greetFirst] greet before the token is looked at, as servers do that ask a database for it.
 *   By default the refusal comes before any greeting
 */
export async function startBareServer({ token, greetFirst = false, port = 0 } = {}) {
  const tokens = token ? [token].flat() : null;
  const wss = new WebSocketServer({ host: '127.0.0.1', port });

  wss.on('connection', (socket, request) => {
    socket.on('error', () => {});
    if (greetFirst) socket.send('{"type":"welcome","message":"hello"}');
    const last = (request.headers['sec-websocket-protocol'] ?? '').split(',').at(-1).trim();
    if (tokens && !tokens.includes(last)) return socket.close(1008);
    socket.on('message', (data) => {
      for (const client of wss.clients) client.send(data);
    });
    if (!greetFirst) socket.send('{"type":"welcome","message":"hello"}');
  });

  await new Promise((resolve) => wss.once('listening', resolve));
  return {
    url: `ws://127.0.0.1:${wss.address().port}`,
    port: wss.address().port,
    wss,
    close: () =>
      new Promise((resolve) => {
        for (const client of wss.clients) client.terminate();
        wss.close(() => resolve());
      }),
  };
}
