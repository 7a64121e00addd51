// One chat user: a wire, and the panel that shows it. How the wire is opened is in delivery.js.
import { element, setText } from './dom.js';

const MAX_MESSAGES = 200;
/** Six seconds: enough for a hand to break several things in the middle. */
const BURST = 1200;
const BURST_GAP_MS = 5;

const MARKS = { waiting: '◷ waiting', written: '✓ written', settled: '✓✓ settled', stored: '✓✓ stored', 'in-doubt': '⚠︎ in doubt', unsent: '✕ not sent' };

export class User {
  #wire = null;
  #send = null;
  #left = false;
  #bursts = new Set();
  #link = '–';
  #nextAttemptAt = null;
  #nodes = new Map();
  #parts = {};

  /** Since when this user is there, or null. */
  presentSince = null;
  /** Who the server says this user is: another one for each wire. Only in exactly-once. */
  identities = new Set();
  /** The last message that was taken over: (logEpoch, s). Only in exactly-once. */
  position = null;

  /**
   * @param {object} setup name, peer (the other's name), room, log, delivery, open (see delivery.js), the ledger of what this user
   *   sends, and two callbacks: received(message) for what came from the peer, changed() after anything that the scoreboard shows
   */
  constructor({ name, peer, room, log, delivery, open, ledger, received, changed }) {
    Object.assign(this, { name, peer, room, log, delivery, open, ledger, received, changed });
    this.id = name.toLowerCase();
    this.#build();
  }

  get panel() {
    return this.#parts.panel;
  }

  connect() {
    const report = (event, detail) => this.log.add(this.name, event, detail);
    const { wire, send } = this.open(this, (message) => this.#receive(message), report);
    this.#wire = wire;
    this.#send = send;
    this.#link = '–';
    this.#report(wire);
    this.#showState();
  }

  async disconnect() {
    await this.#wire.close().catch((error) => this.log.add(this.name, 'error', error.message));
    this.refresh();
  }

  /** Ends this user: what its wire still reports is of no interest any more. */
  leave() {
    this.#left = true;
    for (const timer of this.#bursts) clearInterval(timer);
    this.#wire.close().catch(() => {});
  }

  /** Sends a new message, or `record` again under the id it had. */
  send(text, record = this.ledger.add(text)) {
    record.resent = record.status !== 'waiting';
    this.ledger.mark(record, 'waiting');
    if (!this.#nodes.has(record.id)) this.#add(record.id, element('li', { className: 'sent', data: { id: record.id } }, element('p', {}, text), element('span')));
    this.#showFate(record);
    this.#send(record.text, record.id).then(
      ({ level }) => this.#mark(record.id, level),
      () => {}, // `undelivered` says it too, also for those whose promise nobody kept
    );
    this.refresh();
  }

  burst() {
    const start = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      // By the clock: a page that is hidden, or busy, gets fewer turns.
      const due = Math.min(BURST, Math.ceil((performance.now() - start) / BURST_GAP_MS));
      while (sent < due) this.send(`${++sent} of ${BURST}`);
      if (sent === BURST) this.#bursts.delete(timer) && clearInterval(timer);
    }, BURST_GAP_MS);
    this.#bursts.add(timer);
  }

  /** What has no event of its own: the countdown and the length of the outbox. */
  refresh() {
    const { queued, next, countdown, link } = this.#parts;
    setText(link, String(this.#link));
    setText(queued, String(this.#wire.queued));
    const waiting = this.#wire.state === 'waiting' && this.#nextAttemptAt !== null;
    next.hidden = !waiting;
    if (waiting) setText(countdown, `${(Math.max(0, this.#nextAttemptAt - performance.now()) / 1000).toFixed(1)} s`);
  }

  #report(wire) {
    const listen = (name, fn) => wire.addEventListener(name, (event) => this.#left || fn(event));
    listen('statechange', () => wire === this.#wire && this.#showState());
    listen('open', ({ link, attempts, identity }) => {
      if (identity) this.identities.add(identity);
      if (wire === this.#wire) this.#link = link;
      this.log.add(this.name, 'open', attempts > 1 ? `link ${link}, after ${attempts} attempts` : `link ${link}`);
      this.refresh();
    });
    listen('close', ({ code, reason, wasClean, cause, willRetry }) => {
      const said = reason ? ` “${reason}”` : '';
      this.log.add(this.name, 'close', `code ${code}${said}, cause ${cause}, ${wasClean ? 'clean' : 'not clean'}${willRetry ? '' : ', for good'}`);
    });
    listen('reconnecting', ({ attempt, delay, cause, code }) => {
      if (wire === this.#wire) this.#nextAttemptAt = performance.now() + delay;
      this.log.add(this.name, 'reconnecting', `attempt ${attempt} ${delay < 50 ? 'at once' : `in ${(delay / 1000).toFixed(1)} s`}, cause ${cause}${code ? ` (${code})` : ''}`);
      this.refresh();
    });
    // In exactly-once the receipt has said it.
    listen('settled', ({ id }) => this.delivery === 'best-effort' && this.#mark(id, 'settled'));
    listen('undelivered', ({ id, reason, cause }) => {
      const inDoubt = reason === 'in-doubt' || reason === 'unknown';
      this.#mark(id, inDoubt ? 'in-doubt' : 'unsent', cause);
      this.log.count(this.name, 'undelivered', (n) => `${n} ${n === 1 ? 'message' : 'messages'} ${inDoubt ? 'in doubt' : 'never written'}, cause ${cause}`);
    });
    listen('error', ({ error }) => this.log.add(this.name, 'error', `${error.code}: ${error.message}`));
  }

  #receive(message) {
    const { id, content, logEpoch, s } = message;
    if (this.#left) return;
    if (logEpoch !== undefined) this.position = { logEpoch, s };
    this.received(message);
    const seen = this.#nodes.get(id);
    if (seen) {
      const times = Number(seen.dataset.times) + 1;
      seen.dataset.times = times;
      setText(seen.querySelector('.meta'), `received ${times} times`);
    } else {
      this.#add(id, element('li', { className: 'received', data: { id, times: 1 } }, element('p', {}, String(content)), element('span', { className: 'meta' })));
    }
    this.changed();
  }

  #mark(id, status, cause = '') {
    const record = this.ledger.find(id);
    if (!record) return; // from before the score was started again
    if (status === 'written' && record.status !== 'waiting') return; // the receipt's promise comes a turn late
    this.ledger.mark(record, status, cause);
    this.#showFate(record);
    this.refresh();
  }

  #showFate(record) {
    this.changed();
    const { id, text, status, note } = record;
    const node = this.#nodes.get(id);
    if (!node) return; // too far back to be shown
    const mark = element('span', { className: 'mark', data: { status } }, note ? `${MARKS[status]}: ${note}` : MARKS[status]);
    const meta = element('span', { className: 'meta' }, mark);
    if (status === 'in-doubt' || status === 'unsent') {
      const again = element('button', { type: 'button', className: 'small again', ariaLabel: `Send again: ${text}` }, 'Send again');
      again.addEventListener('click', () => {
        this.send(text, record);
        this.#parts.input.focus();
      });
      meta.append(again);
    }
    node.lastElementChild.replaceWith(meta);
  }

  #add(id, node) {
    const { messages } = this.#parts;
    this.#nodes.set(id, node);
    messages.append(node);
    if (messages.childElementCount > MAX_MESSAGES) {
      const oldest = messages.firstElementChild;
      this.#nodes.delete(oldest.dataset.id);
      oldest.remove();
    }
  }

  #showState() {
    const { panel, stateText, toggle } = this.#parts;
    const { state } = this.#wire;
    panel.dataset.state = state;
    setText(stateText, state);
    setText(toggle, state === 'closed' ? 'Connect' : 'Disconnect');
    if (state !== 'waiting') this.#nextAttemptAt = null;
    this.presentSince = state === 'open' ? performance.now() : null;
    this.refresh();
  }

  #build() {
    const panel = document.getElementById('user-template').content.cloneNode(true).firstElementChild;
    const find = (selector) => panel.querySelector(selector);
    const { name, peer } = this;
    panel.dataset.user = this.id;
    panel.setAttribute('aria-label', name);
    find('.avatar').textContent = name[0];
    find('.name').textContent = name;
    find('.burst').textContent = `Send ${BURST.toLocaleString('en')}`;
    find('.owner').textContent = `${name}:`;
    find('.breaks').setAttribute('aria-label', `Break the connection of ${name}`);
    find('.messages').setAttribute('aria-label', `Messages of ${name}`);
    find('.compose-label').textContent = `Message from ${name} to ${peer}`;
    const input = find('input');
    input.placeholder = `Write to ${peer}…`;
    this.#parts = {
      panel,
      input,
      stateText: find('.state-text'),
      link: find('.link'),
      queued: find('.queued'),
      next: find('.next'),
      countdown: find('.countdown'),
      toggle: find('.toggle'),
      messages: find('.messages ol'),
    };

    find('.composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.send(input.value);
      input.value = '';
    });
    find('.burst').addEventListener('click', () => this.burst());
    find('.now').addEventListener('click', () => {
      this.#wire.reconnect();
      input.focus();
    });
    this.#parts.toggle.addEventListener('click', () => {
      const { state } = this.#wire;
      if (state === 'closed') this.connect();
      else if (state !== 'closing') this.disconnect(); // not `disabled` meanwhile, which would drop the keyboard's focus
    });
  }
}
