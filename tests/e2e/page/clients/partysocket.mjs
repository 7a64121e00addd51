import PartySocket from 'partysocket/ws';
import { adapt } from './socket-like.mjs';

export async function open({ url, delays, on }) {
  const socket = new PartySocket(url, [], {
    minReconnectionDelay: delays.min,
    maxReconnectionDelay: delays.max,
    reconnectionDelayGrowFactor: delays.factor,
  });
  return adapt(socket, on);
}
