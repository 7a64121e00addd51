// The scoreboard: one column per direction, one row per count. The first rows are the same for every delivery.
import { element, setText } from './dom.js';

const SCORE = [
  { key: 'sent', title: 'Sent', hint: 'calls of send()' },
  { key: 'stored', title: 'Stored', hint: { 'best-effort': 'this server stores nothing', 'exactly-once': 'receipts: on the disk of the server' } },
  { key: 'received', title: 'Received', hint: 'counted at the far end, by sender and number' },
  { key: 'lost', title: 'Lost', hint: { 'best-effort': 'sent, and never came', 'exactly-once': 'must stay 0' }, bad: true },
  { key: 'again', title: 'Duplicated', hint: { 'best-effort': 'only what was sent again by hand', 'exactly-once': 'must stay 0' }, bad: true },
  { key: 'disorder', title: 'Out of order', hint: 'must stay 0', bad: true },
];

const DETAILS = {
  'best-effort': [
    { key: 'waiting', title: 'Waiting', hint: 'in the outbox, for a link' },
    { key: 'underway', title: 'On the way', hint: 'written, nothing known yet' },
    { key: 'doubtArrived', title: 'In doubt, arrived', hint: 'reported to the sender; it had arrived' },
    { key: 'doubt', title: 'In doubt, not arrived', hint: 'lost, and reported to the sender, who can send it again' },
    { key: 'missed', title: 'Missed by the receiver', hint: 'lost: it reached the server while the far end was away' },
    { key: 'unsent', title: 'Not sent', hint: 'reported to the sender, who closed the wire' },
  ],
  'exactly-once': [
    { key: 'waiting', title: 'Waiting', hint: 'in the outbox, or written without a receipt yet' },
    { key: 'underway', title: 'On the way', hint: 'stored, and the receiver has not got it yet' },
    { key: 'unsent', title: 'Not sent', hint: 'reported to the sender, who closed the wire' },
    { key: 'doubt', title: 'In doubt', hint: 'reported to the sender, who closed the wire before the receipt came' },
  ],
};

export class Score {
  #body;
  #directions;
  #verdict;
  #scheduled = false;
  #delivery;
  #counters = [];
  #rows = [];

  constructor({ head, body, verdict, directions }) {
    this.#body = body;
    this.#verdict = verdict;
    this.#directions = directions;
    head.replaceChildren(element('tr', {}, element('th', { scope: 'col' }, 'Message'), ...directions.map((name) => element('th', { scope: 'col' }, name))));
  }

  /** From now on shows what these functions, one for each direction, count of messages that are delivered as `delivery`. */
  show(counters, delivery) {
    if (delivery !== this.#delivery) this.#build(delivery);
    this.#counters = counters;
    this.update();
  }

  /** To be called after any change: draws once per frame. */
  update() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #build(delivery) {
    this.#delivery = delivery;
    const details = DETAILS[delivery];
    this.#rows = [...SCORE, ...details].map(({ key, title, hint, bad = false }) => {
      const cells = this.#directions.map((name, column) => element('td', { data: { score: key, column } }, '0'));
      const small = element('small', {}, hint[delivery] ?? hint);
      const row = element('tr', { className: key === details[0].key ? 'details' : '' }, element('th', { scope: 'row' }, title, small), ...cells);
      return { key, bad, cells, row };
    });
    this.#body.replaceChildren(...this.#rows.map(({ row }) => row));
  }

  #draw() {
    const all = this.#counters.map((count) => count());
    for (const { key, bad, cells } of this.#rows) {
      all.forEach((counts, column) => {
        const absent = key === 'stored' && this.#delivery === 'best-effort';
        const cell = cells[column];
        setText(cell, absent ? '–' : counts[key].toLocaleString('en'));
        cell.dataset.count = counts[key];
        cell.classList.toggle('zero', counts[key] === 0);
        cell.classList.toggle('bad', bad && counts[key] > 0);
      });
    }
    const total = {};
    for (const counts of all) for (const [key, count] of Object.entries(counts)) total[key] = (total[key] ?? 0) + count;
    const { state, text } = total.sent === 0 ? { state: 'idle', text: 'Nothing sent yet.' } : JUDGES[this.#delivery](total);
    this.#verdict.dataset.verdict = state;
    setText(this.#verdict, text);
  }
}

const JUDGES = {
  'best-effort'(total) {
    const pending = total.waiting + total.underway;
    const doubt = total.doubt + total.doubtArrived;
    const sums = sum(total.sent, [
      [total.arrived, 'arrived', true],
      [doubt, 'reported in doubt'],
      [total.unsent, 'reported as not sent'],
      [total.missed, 'missed by an absent receiver'],
      [pending, 'not decided yet'],
    ]);
    if (total.disorder > 0) return { state: 'bad', text: `${sums} The order was broken.` };
    return pending > 0 ? { state: 'pending', text: sums } : { state: 'good', text: `${sums} Every message is accounted for.` };
  },

  'exactly-once'(total) {
    const { waiting, underway, missed, again, disorder } = total;
    const sums = sum(total.sent, [
      [total.arrived, 'stored and received', true],
      [underway, 'stored and on the way'],
      [waiting, 'waiting for a receipt'],
      [total.unsent, 'reported as not sent'],
      [total.doubt + total.doubtArrived, 'reported in doubt'],
      [missed, 'stored and never received'],
    ]);
    const broken = missed + again + disorder > 0;
    const text = `${sums} ${missed.toLocaleString('en')} lost, ${again.toLocaleString('en')} duplicated, ${disorder.toLocaleString('en')} out of order.`;
    return { state: broken ? 'bad' : waiting + underway > 0 ? 'pending' : 'good', text };
  },
};

function sum(sent, parts) {
  const shown = parts.filter(([count, , always]) => always || count > 0).map(([count, what]) => `${count.toLocaleString('en')} ${what}`);
  return `${sent.toLocaleString('en')} sent = ${shown.join(' + ')}.`;
}
