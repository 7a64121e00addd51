import ReconnectingWebSocket from 'reconnecting-websocket';
import { adapt } from './socket-like.mjs';

export async function open({ url, delays, on }) {
  const socket = new ReconnectingWebSocket(url, [], {
    minReconnectionDelay: delays.min,
    maxReconnectionDelay: delays.max,
    reconnectionDelayGrowFactor: delays.factor,
  });
  return adapt(socket, on);
}
