// From the options to the arguments of `new WebSocket`. No text made here holds a url, a subprotocol or a token.
import type { ProtocolsSource, UrlSource } from '../types/index.js';
import { connectError, EverwireError } from './errors.ts';
import type { Settings } from './options.ts';

/** What one dial needs. */
export interface Target {
  url: string;
  protocols: string[];
  token: string | undefined;
}

/** Throws for whatever is wrong already, so that nobody retries it for ever. Returns what gives the target of each dial. */
export function targetSource(urlSource: UrlSource, settings: Settings): (stale: () => boolean) => Promise<Target | undefined> {
  const { token: tokenSource, protocols: protocolsSource } = settings;
  const url = typeof urlSource === 'function' ? urlSource : checkUrl(urlSource);
  // A function for url or protocols was given the token and decides where it goes.
  const offerToken = typeof urlSource !== 'function' && typeof protocolsSource !== 'function';
  const offer = (list: string[], token: string | undefined) =>
    checkProtocols(offerToken && token !== undefined ? [...list, token] : list);
  const protocols = typeof protocolsSource === 'function' ? protocolsSource : toList(protocolsSource);
  if (typeof protocols !== 'function') offer(protocols, typeof tokenSource === 'string' ? tokenSource : undefined);

  return async (stale) => {
    const token = await settle('token', () => (typeof tokenSource === 'function' ? tokenSource() : tokenSource));
    if (stale()) return undefined;
    if (tokenSource !== undefined && typeof token !== 'string') throw new EverwireError('provider', 'token gave no string');
    const context = { token };
    const to = await settle('url', () => (typeof url === 'function' ? url(context) : url));
    if (stale()) return undefined;
    const list = await settle('protocols', () => (typeof protocols === 'function' ? protocols(context) : protocols));
    if (stale()) return undefined;
    try {
      return { url: url === to ? to : checkUrl(to), protocols: offer(toList(list ?? []), token), token };
    } catch (error) {
      throw new EverwireError('provider', (error as Error).message);
    }
  };
}

/** Calls a function of the user, of which anything may be expected. */
export async function settle<T>(name: string, ask: () => T): Promise<Awaited<T>> {
  try {
    return await ask();
  } catch (error) {
    throw new EverwireError('provider', name, error);
  }
}

/** Absolute, with `ws:` or `wss:`. */
export function checkUrl(source: unknown): string {
  const page = globalThis.document?.baseURI ?? globalThis.location?.href;
  let url: URL;
  // `new URL` would turn undefined into a relative url.
  if (typeof source !== 'string' && !(source as URL | null)?.href) throw connectError('the url must be a string, a URL or a function');
  try {
    url = new URL(source as string | URL, page);
  } catch {
    throw connectError('the url is invalid' + (page ? '' : ' or not absolute'));
  }
  url.protocol = url.protocol.replace('http', 'ws');
  if (!/^wss?:$/.test(url.protocol)) throw connectError('the url must be wss:, ws:, https:, http: or relative');
  if (url.href.includes('#')) throw connectError('the url must have no fragment');
  // Browsers refuse this for ever, but for the machine itself.
  if (
    url.protocol === 'ws:' && globalThis.location?.protocol === 'https:' &&
    !/^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)
  ) {
    throw connectError('a page on https: cannot open a ws: url; use wss:');
  }
  return url.href;
}

function toList(protocols: Exclude<ProtocolsSource, Function>): string[] {
  return typeof protocols === 'string' ? [protocols] : [...protocols];
}

/** RFC 6455 has them be tokens of RFC 2616, each at most once; `WebSocket` throws for others. */
function checkProtocols(list: string[]): string[] {
  // By number: the last may be the token.
  const which = (place: number) => `subprotocol ${place + 1} of ${list.length}`;
  for (const [place, protocol] of list.entries()) {
    if (typeof protocol !== 'string' || !/^[\w!#$%&'*+\-.^`|~]+$/.test(protocol)) {
      throw connectError(`${which(place)} is empty or has a character like space, comma or =`);
    }
    if (list.indexOf(protocol) < place) throw connectError(`${which(place)} is there twice`);
  }
  return list;
}
