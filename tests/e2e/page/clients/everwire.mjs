// everwire, from the built package. The record of every message is what the far end is compared with.
export async function open({ url, delays, heartbeat, on }) {
  const { connect } = await import('everwire');
  const wire = connect(url, {
    sender: 'page',
    reconnect: { delayMin: delays.min, delayMax: delays.max, factor: delays.factor },
    ...(heartbeat && { heartbeatInterval: heartbeat, expectReply: true }),
  });
  // The ids are everwire's own: only those are recognised when the server sends a message back. Until its promise has
  // settled a message is known by its content, which is its number.
  const records = [];
  const byId = new Map();
  const promises = [];
  const errors = [];
  wire.addEventListener('open', () => on.open());
  wire.addEventListener('close', (event) => on.close(`${event.cause} ${event.code}`));
  wire.addEventListener('error', (event) => errors.push(event.error?.code ?? String(event.error)));
  wire.addEventListener('settled', ({ id }) => {
    byId.get(id).settled += 1;
  });
  wire.addEventListener('undelivered', ({ id, reason, cause, message }) => {
    const record = records[message.content];
    record.id = id;
    record.undelivered += 1;
    record.reason = reason;
    record.cause = cause;
    // Written, and nothing has proved yet that it arrived: the only ones whose fate a client cannot know.
    record.fateUnknown = record.written && record.settled === 0;
  });
  wire.on('text', (message) => on.message(message));
  wire.on('feed', (message) => on.message(message));

  return {
    send(_id, n) {
      const record = { id: null, n, stateAtSend: wire.state, written: false, rejected: null, settled: 0, undelivered: 0 };
      records[n] = record;
      promises.push(
        wire.send('text', n).then(
          (receipt) => {
            record.id = receipt.id;
            byId.set(receipt.id, record);
            record.written = receipt.level === 'written';
          },
          (error) => {
            record.rejected = error.code;
          },
        ),
      );
    },
    isOpen: () => wire.state === 'open',
    async finish() {
      await Promise.all(promises);
      await wire.close();
    },
    report: () => ({ records, errors, state: wire.state, queued: wire.queued }),
  };
}
