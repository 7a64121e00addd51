/** What only this delivery can say. Texts never hold a token, a url or a content: they end up in logs. */
export const sessionTexts = {
  refused: 'the server refused it',
  expired: 'its time to live was over before it could be written',
  replaced: 'a newer message of its key took its place',
  'in-doubt': 'the wire closed before the server had answered: it may have arrived',
  unknown: 'the server no longer knows this client: it may have arrived',
  denied: 'the server does not let this client into the room',
  'link-lost': 'the connection ended before the answer came; ask again',
  lost: 'the log of this position is gone',
  'protocol-error': 'the other end broke the protocol',
  'not-spoken': 'the server does not speak everwire.v1',
  unavailable: 'the server is not available',
  'store-stalled': 'the server answers and stores nothing',
  'too-slow': 'the connection is too slow for the messages on it',
  'handler-unsettled': 'a message handler has been running for 60 s',
  'window-shut': 'no handler has ended for 60 s, and the server may push no more',
};
