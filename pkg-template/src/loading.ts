// Loads a WebAssembly that is a file of its own, for the entries that end in `slim`.
import type { WasmSource } from '../types/slim.js';
import { connectError } from './errors.ts';
import { retain } from './instance.ts';

type Init = (source?: WasmSource | Promise<WasmSource>) => Promise<void>;

/** An `init()` that takes `file()` if it is not told better. */
export function loader(file: () => URL): Init {
  let ready: Promise<void> | undefined;
  // A failed attempt may be repeated.
  return (source) => (ready ??= load(source ?? file()).catch((error) => {
    ready = undefined;
    throw error;
  }));
}

async function load(given: WasmSource | Promise<WasmSource>): Promise<void> {
  let source: any = await given;
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

export function missing(): never {
  throw connectError('await init() before the first connect()');
}
