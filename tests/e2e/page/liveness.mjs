// Wires side by side in one page, each with a link of its own, and when each of them opened and closed by the page's clock.
const PAYLOAD = 'x'.repeat(200);

/**
 * - `mode`: 'exactly-once' or 'best-effort', the latter with `expectReply: true`
 * - `traffic`: 'send' writes `perSecond` messages on each wire, 'feed' listens to what the server sends, 'idle' does neither
 */
export async function start({ mode, urls, traffic, perSecond }) {
  const exactly = mode === 'exactly-once';
  const { connect } = await import(exactly ? 'everwire/exactly-once' : 'everwire');
  const wires = urls.map((url) => {
    const wire = connect(url, exactly ? {} : { expectReply: true });
    const log = { opens: [], closes: [], dials: [], received: 0 };
    wire.addEventListener('open', () => log.opens.push(Date.now()));
    wire.addEventListener('close', ({ cause, willRetry }) => log.closes.push({ at: Date.now(), cause, willRetry }));
    wire.addEventListener('reconnecting', ({ delay }) => log.dials.push(Date.now() + delay));
    const source = exactly && traffic === 'feed' ? wire.join('feed') : wire;
    source.on('text', () => (log.received += 1));
    return { wire, log };
  });
  await Promise.all(wires.map(({ wire }) => new Promise((resolve) => wire.addEventListener('open', resolve, { once: true }))));
  let timer;
  if (traffic === 'send') timer = setInterval(() => wires.forEach(({ wire }) => void wire.send('text', PAYLOAD, { to: 'nobody' })), 1000 / perSecond);
  return {
    report: () => wires.map(({ log }) => log),
    async close() {
      clearInterval(timer);
      await Promise.all(wires.map(({ wire }) => wire.close({ timeout: 0 })));
    },
  };
}

/** Sends what is long, hears what is long, and what is short beside both. Resolves when all of it has arrived. */
export async function slow({ url, room, bytes, count }) {
  const { connect } = await import('everwire/exactly-once');
  const wire = connect(url);
  const closes = [];
  wire.addEventListener('close', ({ cause }) => closes.push(cause));
  const joined = wire.join(room);
  const heard = new Promise((resolve) => {
    let left = count;
    joined.on('long', () => (left -= 1) || resolve());
  });
  await joined.joined;
  window.tell?.('joined');
  const long = 'y'.repeat(bytes);
  const beside = setInterval(() => void joined.send('short', 1), 500);
  for (let n = 0; n < count; n++) await joined.send('own', long);
  await heard;
  clearInterval(beside);
  await wire.close();
  return closes;
}
