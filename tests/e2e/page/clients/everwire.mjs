// everwire, from the built package. The record of every message is what the far end is compared with.
export async function open({ url, delays, heartbeat, on }) {
  const { connect } = await import('everwire');
  const wire = connect(url, {
    sender: 'page',
    reconnect: { delayMin: delays.min, delayMax: delays.max, factor: delays.factor },
    ...(heartbeat && { heartbeatInterval: heartbeat, expectReply: true }),
  });
  const records = new Map();
  const promises = [];
  const errors = [];
  wire.addEventListener('open', () => on.open());
  wire.addEventListener('close', (event) => on.close(`${event.cause} ${event.code}`));
  wire.addEventListener('error', (event) => errors.push(event.error?.code ?? String(event.error)));
  wire.addEventListener('settled', ({ id }) => {
    records.get(id).settled += 1;
  });
  wire.addEventListener('undelivered', ({ id, reason, cause }) => {
    const record = records.get(id);
    record.undelivered += 1;
    record.reason = reason;
    record.cause = cause;
    // Written, and nothing has proved yet that it arrived: the only ones whose fate a client cannot know.
    record.fateUnknown = record.written && record.settled === 0;
  });
  wire.on('text', (message) => on.message(message));
  wire.on('feed', (message) => on.message(message));

  return {
    send(id, n) {
      const record = { id, n, stateAtSend: wire.state, written: false, rejected: null, settled: 0, undelivered: 0 };
      records.set(id, record);
      promises.push(
        wire.send('text', n, { id }).then(
          (receipt) => {
            record.written = receipt.level === 'written' && receipt.id === id;
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
    report: () => ({ records: [...records.values()], errors, state: wire.state, queued: wire.queued }),
  };
}
