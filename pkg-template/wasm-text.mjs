// WebAssembly as ASCII text that compresses as well as the bytes do, because each byte is one character or two. In base64
// a byte begins at one of three places, so of what repeats itself gzip finds a third: it cost 31 % more with gzip.
// `src/wasm-text.ts` reads it.

/** Values up to here stand for a byte alone; those above are the first of a pair. */
const SINGLE = 89;
const VALUES = 92;

/** `#` to `~`, but neither `<`, since a page may hold the script in itself, nor `\`. */
function character(value) {
  if (value === 60 - 35) return ' ';
  return value === 92 - 35 ? '!' : String.fromCharCode(value + 35);
}

const pair = (byte) => character(SINGLE + Math.floor(byte / VALUES)) + character(byte % VALUES);

/** The most frequent bytes as pairs, and then each byte: as its place among those, or as a pair. */
export function toText(bytes) {
  const count = new Array(256).fill(0);
  for (const byte of bytes) count[byte]++;
  const frequent = [...count.keys()].sort((a, b) => count[b] - count[a] || a - b).slice(0, SINGLE);
  const written = count.map((_, byte) => (frequent.includes(byte) ? character(frequent.indexOf(byte)) : pair(byte)));
  return frequent.map(pair).join('') + Array.from(bytes, (byte) => written[byte]).join('');
}
