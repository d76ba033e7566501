/* Pareto optimality as sweeps/pareto.py has it: what no other point of a target beats, and what
   none beats by more than the error of their difference. Less is better in all costs. */

/** Costs of metrics: values, or their negatives where more is better. */
function costsOf(results, names) {
  return names.map((name) => {
    const values = results.column(name).numbers;
    return results.metrics.get(name).maximise ? values.map((value) => -value) : values;
  });
}

/** Rows in lexicographic order of their costs, best first, without those that lack one. */
function lexicographic(costs) {
  const rows = Array.from(costs[0].keys()).filter((row) => costs.every((c) => c[row] === c[row]));
  rows.sort((a, b) => {
    for (const cost of costs) if (cost[a] !== cost[b]) return cost[a] < cost[b] ? -1 : 1;
    return 0;
  });
  return Uint32Array.from(rows);
}

function dominates(costs, a, b) {
  let better = false;
  for (const cost of costs) {
    if (cost[a] > cost[b]) return false;
    if (cost[a] < cost[b]) better = true;
  }
  return better;
}

/** Pareto-optimal rows of each group among those that are shown.
 *
 * In lexicographic order only a row on the front can dominate the next one. One that did so is
 * tried first the next time.
 */
function frontOf(costs, order, shown, groups) {
  const fronts = new Map();
  for (const row of order) {
    if (!shown[row]) continue;
    const group = groups[row];
    if (!fronts.has(group)) fronts.set(group, []);
    const front = fronts.get(group);
    const place = front.findIndex((other) => dominates(costs, other, row));
    if (place < 0) front.push(row);
    else if (place > 0) [front[place], front[place >> 1]] = [front[place >> 1], front[place]];
  }
  return fronts;
}

/** What tells rows apart: costs, logarithms where errors are of ratios, with their errors. */
function measured(results, names) {
  return names.map((name, place) => {
    const metric = results.metrics.get(name);
    const costs = costsOf(results, [name])[0];
    const sign = metric.maximise ? -1 : 1;
    const values = metric.ratio ? costs.map((cost) => sign * Math.log(sign * cost)) : costs;
    return { place, values, errors: results.band(name), same: metric.same };
  });
}

/** Whether row `a` dominates `b` by more than the errors of their differences. */
function isBeyond(axes, a, b) {
  let better = false;
  for (const { values, errors, same } of axes) {
    if (values[a] === values[b]) {
      if (!same && (errors[a] !== 0 || errors[b] !== 0)) return false;
      continue;
    }
    const difference = values[b] - values[a];
    if (difference < 0 || difference < Math.sqrt(errors[a] ** 2 + errors[b] ** 2)) return false;
    better = true;
  }
  return better;
}

/** Rows behind the fronts by no more than errors; yields now and then, as it takes a while. */
function* withinBand(axes, order, shown, groups, fronts) {
  const found = [];
  const members = new Map();
  for (const row of order) {
    if (!shown[row]) continue;
    if (!members.has(groups[row])) members.set(groups[row], []);
    members.get(groups[row]).push(row);
  }
  for (const [group, rows] of members) {
    const front = fronts.get(group);
    const optimal = new Set(front);
    let tried = 0;
    for (const row of rows) {
      tried += front.length;
      if (!optimal.has(row) && !front.some((other) => isBeyond(axes, other, row))) {
        // Only rows that come before it are better in the first cost.
        const end = firstWorse(axes[0].values, rows, axes[0].values[row]);
        let behind = false;
        for (let k = 0; k < end && !behind; k++) behind = isBeyond(axes, rows[k], row);
        tried += end;
        if (!behind) found.push(row);
      }
      if (tried > 200000) {
        tried = 0;
        yield null;
      }
    }
  }
  yield found;
}

/** How many of the sorted rows have a first value up to `value`. */
function firstWorse(values, rows, value) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[rows[middle]] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
