// The entry `everwire/exactly-once/slim`: its WebAssembly is a file of its own.
import type * as Public from '../types/exactly-once.js';
import { texts } from './errors.ts';
import { loader, missing } from './loading.ts';
import { sessionTexts } from './session/texts.ts';
import { SessionWire } from './session/wire.ts';

export { EverwireError } from './errors.ts';

Object.assign(texts, sessionTexts);

export default loader(() => new URL('./exactly-once.wasm', import.meta.url));

export const connect = ((url, options) => new SessionWire(missing, url, options) as unknown) as typeof Public.connect;
