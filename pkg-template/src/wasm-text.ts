// Reads what `wasm-text.mjs` has written.

const SINGLE = 89;
const VALUES = 92;

export function fromText(text: string): Uint8Array<ArrayBuffer> {
  let from = 0;
  const value = (): number => {
    const code = text.charCodeAt(from++) - 35;
    // The space and `!` stand for what must not be in a script.
    return code < 0 ? 121 + 32 * code : code;
  };
  const pair = (first: number): number => (first - SINGLE) * VALUES + value();
  const frequent = Array.from({ length: SINGLE }, () => pair(value()));
  const bytes = new Uint8Array(text.length);
  let length = 0;
  while (from < text.length) {
    const first = value();
    bytes[length++] = frequent[first] ?? pair(first);
  }
  return bytes.subarray(0, length);
}
