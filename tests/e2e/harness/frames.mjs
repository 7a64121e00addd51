// Counts WebSocket frames, control frames included, in what a proxy passes on. It reads headers as RFC 6455 §5.2 has them and
// asks nobody: what the browser and the server write by themselves is counted like everything else.

const HEAD_END = '\r\n\r\n';
const CONTROL_MIN = 8;

/** The frames of one direction of one connection, from the bytes as they come. `onFrame({ opcode, bytes, payload })`. */
export function frameReader(onFrame) {
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
    for (let frame = first(held); frame; frame = first(held)) {
      held = held.subarray(frame.bytes);
      onFrame(frame);
    }
  };
}

/** The frame at the beginning, if all of it is there. */
function first(held) {
  if (held.length < 2) return null;
  if (held[0] & 0x70) throw new Error('an extension was negotiated: payloads cannot be told apart');
  const short = held[1] & 0x7f;
  const masked = held[1] >> 7;
  const lengthEnd = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (held.length < lengthEnd) return null;
  const length = short === 126 ? held.readUInt16BE(2) : short === 127 ? Number(held.readBigUInt64BE(2)) : short;
  const head = lengthEnd + 4 * masked;
  if (held.length < head + length) return null;
  const payload = Buffer.from(held.subarray(head, head + length));
  if (masked) for (let at = 0; at < length; at++) payload[at] ^= held[lengthEnd + (at & 3)];
  return { opcode: held[0] & 0x0f, bytes: head + length, payload };
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
