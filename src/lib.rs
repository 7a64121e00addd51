//! everwire: a resilient WebSocket client for the browser.
