// What became of every message: the client's record against the far end's, by id.

/** @param {{sent: number, records?: object[]}} report @param {string[]} received */
export function compare(report, received) {
  // A client that makes its own ids tells which message had which.
  const nameOf = new Map((report.records ?? []).map(({ id, n }) => [id, `m${n}`]));
  received = received.map((id) => nameOf.get(id) ?? id);
  const arrivals = new Map();
  for (const id of received) arrivals.set(id, (arrivals.get(id) ?? 0) + 1);
  const ids = Array.from({ length: report.sent }, (_, n) => `m${n}`);
  const missing = ids.filter((id) => !arrivals.has(id));

  // Every arrival of a message after a later one counts.
  let newest = -1;
  let outOfOrder = 0;
  const seen = new Set();
  for (const id of received) {
    const n = Number(id.slice(1));
    if (!seen.has(id) && n < newest) outOfOrder += 1;
    seen.add(id);
    newest = Math.max(newest, n);
  }

  const reported = new Set((report.records ?? []).filter((record) => record.undelivered).map((record) => nameOf.get(record.id)));
  return {
    sent: report.sent,
    delivered: arrivals.size,
    lost: missing.length,
    reported: report.records ? reported.size : null,
    silent: missing.filter((id) => !reported.has(id)).length,
    reportedYetDelivered: report.records ? [...reported].filter((id) => arrivals.has(id)).length : null,
    duplicated: received.length - arrivals.size,
    outOfOrder,
  };
}
