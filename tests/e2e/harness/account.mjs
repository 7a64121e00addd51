// What became of every message between two pages: the record of who sent it against that of who should have it.

/**
 * All that one page should have received, from `senders` (name → report), itself among them.
 * - `lost`: did not arrive, whoever was told
 * - `toldSender`: of these, the promise was rejected; `toldReceiver`: of these, the page heard `lost` at that place
 * - `silent`: of these, neither
 */
export function account(receiver, senders) {
  const sum = { sent: 0, received: receiver.received.length, lost: 0, duplicated: 0, outOfOrder: 0, toldSender: 0, toldReceiver: 0, silent: 0 };
  const gaps = receiver.told.filter(({ what }) => what === 'lost').map(({ after }) => after);
  for (const [name, { fates }] of Object.entries(senders)) {
    const place = new Map(); // number → where it stands in `received`, first of all arrivals
    let newest = -1;
    receiver.received.forEach(([from, at], index) => {
      if (from !== name) return;
      if (place.has(at)) sum.duplicated += 1;
      else if (at < newest) sum.outOfOrder += 1;
      if (!place.has(at)) place.set(at, index);
      newest = Math.max(newest, at);
    });
    sum.sent += fates.length;
    for (const { at, rejected } of fates) {
      if (place.has(at)) continue;
      const [before, behind] = around(place, at);
      const heard = gaps.some((after) => before < after && after <= behind);
      sum.lost += 1;
      sum.toldSender += Boolean(rejected);
      sum.toldReceiver += heard;
      sum.silent += !rejected && !heard;
    }
  }
  return sum;
}

/** Where the nearest arrivals of the same sender stand, below and above a number. */
function around(place, at) {
  let before = -1;
  let behind = Infinity;
  for (const [other, index] of place) {
    if (other < at) before = Math.max(before, index);
    else behind = Math.min(behind, index);
  }
  return [before, behind];
}

/** Whether two pages have seen what both have seen in one order. */
export function oneOrder(a, b) {
  const names = [a, b].map(({ received }) => received.map(([from, at]) => `${from} ${at}`));
  const [inA, inB] = names.map((list) => new Set(list));
  const [left, right] = [names[0].filter((name) => inB.has(name)), names[1].filter((name) => inA.has(name))];
  return left.length === right.length && left.every((name, index) => name === right[index]);
}
