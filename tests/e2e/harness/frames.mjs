// Counts WebSocket frames, control frames included, in what a proxy passes on. It reads headers as RFC 6455 §5.2 has them and
// asks nobody: what the browser and the server write by themselves is counted like everything else.

const HEAD_END = '\r\n\r\n';
const CONTROL_MIN = 8;

/** The frames of one direction of one connection, from the bytes as they come. `onFrame({ opcode, bytes, payload })`. */
export function frameReader(onFrame) {
  return behindUpgrade((held) => {
    for (let frame = first(held); frame; frame = first(held)) {
      held = held.subarray(frame.bytes);
      onFrame(frame);
    }
    return held;
  });
}

/** As that, without the payloads: `onHead(opcode)` as soon as the head of a frame is there. */
export function headReader(onHead) {
  let payload = 0; // octets of the present frame that are still to come
  return behindUpgrade((held) => {
    for (;;) {
      const gone = Math.min(payload, held.length);
      payload -= gone;
      held = held.subarray(gone);
      const head = payload === 0 && headOf(held);
      if (!head) return held;
      payload = head.length;
      onHead(head.opcode);
      held = held.subarray(head.bytes);
    }
  });
}

/** Takes chunks, and gives what is behind the upgrade to `take`, which returns what it cannot use yet. */
function behindUpgrade(take) {
  let held = Buffer.alloc(0);
  let upgraded = false;
  return (chunk) => {
    held = held.length ? Buffer.concat([held, chunk]) : chunk;
    if (!upgraded) {
      const end = held.indexOf(HEAD_END);
      if (end < 0) return;
      upgraded = true;
      held = held.subarray(end + HEAD_END.length);
    }
    held = take(held);
  };
}

/** The head at the beginning, if all of it is there. */
function headOf(held) {
  if (held.length < 2) return null;
  const short = held[1] & 0x7f;
  const masked = held[1] >> 7;
  const mask = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  const bytes = mask + 4 * masked;
  if (held.length < bytes) return null;
  const length = short === 126 ? held.readUInt16BE(2) : short === 127 ? Number(held.readBigUInt64BE(2)) : short;
  return { opcode: held[0] & 0x0f, bytes, length, mask: masked ? mask : null };
}

/** The frame at the beginning, if all of it is there. */
function first(held) {
  if (held[0] & 0x70) throw new Error('an extension was negotiated: payloads cannot be told apart');
  const head = headOf(held);
  if (!head || held.length < head.bytes + head.length) return null;
  const payload = Buffer.from(held.subarray(head.bytes, head.bytes + head.length));
  if (head.mask) for (let at = 0; at < payload.length; at++) payload[at] ^= held[head.mask + (at & 3)];
  return { opcode: head.opcode, bytes: head.bytes + head.length, payload };
}

/**
 * Every frame that passes `proxy`, as `{ at, way, opcode, control, bytes, text }`, `bytes` with its header and without those of
 * TCP. `way` is `up` or `down`. Call it before anybody connects.
 */
export function logFrames(proxy) {
  const log = [];
  proxy.on('accept', (link) => {
    const read = {};
    for (const way of ['up', 'down']) {
      read[way] = frameReader(({ opcode, bytes, payload }) => {
        const frame = { at: Date.now(), way, opcode, control: opcode >= CONTROL_MIN, bytes, text: payload.toString('latin1') };
        log.push(frame);
        proxy.emit('frame', frame);
      });
    }
    link.on('traffic', (way, length, chunk) => read[way](chunk));
  });
  return log;
}
