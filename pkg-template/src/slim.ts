// The entry `everwire/slim`: the WebAssembly is a file of its own.
import type * as Public from '../types/index.js';
import type { WasmSource } from '../types/slim.js';
import { connectError } from './errors.ts';
import { retain } from './instance.ts';
import { Wire } from './wire.ts';

export { EverwireError } from './errors.ts';

let ready: Promise<void> | undefined;

export default function init(source?: WasmSource | Promise<WasmSource>): Promise<void> {
  // A failed attempt may be repeated.
  return (ready ??= load(source).catch((error) => {
    ready = undefined;
    throw error;
  }));
}

async function load(given?: WasmSource | Promise<WasmSource>): Promise<void> {
  let source: any = await (given ?? new URL('./everwire.wasm', import.meta.url));
  if (typeof source === 'string' || source instanceof URL || (typeof Request === 'function' && source instanceof Request)) {
    source = await fetch(source);
  }
  if (typeof Response === 'function' && source instanceof Response) {
    if (!source.ok) throw connectError(`the WebAssembly could not be fetched: status ${source.status}`);
    // Not compileStreaming: it refuses what a server labels otherwise, and gains nothing at this size.
    source = await source.arrayBuffer();
  }
  retain(source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source));
}

export const connect = ((url, options) => new Wire(missing, url, options) as unknown) as typeof Public.connect;

function missing(): never {
  throw connectError('await init() before the first connect()');
}
