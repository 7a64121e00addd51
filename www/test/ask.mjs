// Questions to the demo's server that no page would ask.
import { request as httpRequest } from 'node:http';

/** The headers of a WebSocket's handshake. */
export const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };

/** A request with the path exactly as written, which `fetch` would tidy up. */
export const askOf = ({ url }) => (path, { method = 'GET', headers = {} } = {}) => {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part)).on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, headers: response.headers, text: '' });
    });
    request.on('error', reject).end();
  });
};
