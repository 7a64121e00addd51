// The WebAssembly that travels inside an entry.
import text from 'everwire-wasm-text';
import { fromText } from './wasm-text.ts';

export function compile(): WebAssembly.Module {
  return new WebAssembly.Module(fromText(text));
}
