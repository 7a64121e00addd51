import type { WasmSource } from './slim.js';

export * from './exactly-once.js';
export type { WasmSource } from './slim.js';

/**
 * Loads the WebAssembly. Await it once before the first `connect()`; further calls do nothing.
 * @param source a url, a `Response`, the bytes, or a compiled module. Default: `exactly-once.wasm` beside this file, which
 * most bundlers find and copy by themselves.
 */
export default function init(source?: WasmSource | Promise<WasmSource>): Promise<void>;
