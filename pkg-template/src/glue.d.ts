// Names that only the build resolves.

declare module 'everwire-glue' {
  type Exports = import('./contract.ts').Exports;
  /** Makes the wasm-bindgen glue of one instance: its variables live in the closure, so a dead instance is abandoned whole. */
  export default function createGlue(): Exports & { initSync(options: { module: WebAssembly.Module }): unknown };
}

declare module 'everwire-wasm-text' {
  /** As `wasm-text.mjs` writes it. */
  const text: string;
  export default text;
}
