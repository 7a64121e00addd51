// What a log may not hold.
import { createReadStream } from 'node:fs';

const PIECE_BYTES = 1 << 20;
const EXCERPT_BYTES = 120;

/** Looks a file through, however large: `{ bytes, found }`, where `found` has `[secret, where it stands]` once for each that is there. */
export async function leaks(file, secrets) {
  const left = new Map([...new Set(secrets)].map((secret) => [secret, Buffer.from(secret)]));
  const longest = Math.max(0, ...[...left.values()].map(({ length }) => length));
  const found = [];
  let bytes = 0;
  let seam = Buffer.alloc(0);
  for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) {
    bytes += piece.length;
    const text = Buffer.concat([seam, piece]);
    for (const [secret, octets] of left) {
      const at = text.indexOf(octets);
      if (at < 0) continue;
      found.push([secret, text.toString('latin1', Math.max(0, at - EXCERPT_BYTES), at + octets.length)]);
      left.delete(secret);
    }
    // Of a secret that stands across two pieces all but the last octet may be in the first.
    seam = text.subarray(Math.max(0, text.length - longest + 1));
  }
  return { bytes, found };
}
