// The entry `everwire/exactly-once`: its WebAssembly travels inside.
import base64 from 'everwire-wasm-base64';
import type * as Public from '../types/exactly-once.js';
import { texts } from './errors.ts';
import { sessionTexts } from './session/texts.ts';
import { SessionWire } from './session/wire.ts';

export { EverwireError } from './errors.ts';

Object.assign(texts, sessionTexts);

function compile(): WebAssembly.Module {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return new WebAssembly.Module(bytes);
}

export const connect = ((url, options) => new SessionWire(compile, url, options) as unknown) as typeof Public.connect;
