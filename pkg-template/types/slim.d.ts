export * from './index.js';

/** Where the WebAssembly comes from; promises of it are awaited. */
export type WasmSource = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/**
 * Loads the WebAssembly. Await it once before the first `connect()`; further calls do nothing.
 * @param source a url, a `Response`, the bytes, or a compiled module. Default: `everwire.wasm` beside this file, which
 * most bundlers find and copy by themselves.
 */
export default function init(source?: WasmSource | Promise<WasmSource>): Promise<void>;
