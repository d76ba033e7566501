/* Which points are shown, and which of them are on a front. */

/** What points can be chosen by: levels, and the level of each row. Those with one level are none. */
function facetsOf(results) {
  const targets = results.content.targets.map((_, code) => targetName(results, code));
  const facets = [
    { key: "target", title: "Technology and clock", levels: targets, codes: results.column("target").numbers },
    facet(results, "method", "Kind of figure", "method"),
    facet(results, "sweep", "Sweep", "sweep"),
    facet(results, "accelerator", "Accelerator", "accelerator"),
    facet(results, "family", "Family", "family"),
    bitsFacet(results, "weight", "Bits per weight"),
    bitsFacet(results, "activation", "Bits per activation"),
  ];
  return facets.filter((one) => one && one.levels.filter((level) => level !== null).length > 1);
}

function facet(results, key, title, name) {
  return results.has(name) ? { key, title, ...results.column(name).coded } : null;
}

/** Bits an element, metadata included, to the nearest whole number. */
function bitsFacet(results, operand, title) {
  const name = `${operand}_bits_per_element`;
  if (!results.has(name)) return null;
  const rounded = results.column(name).numbers.map(Math.round);
  const levels = [...new Set(rounded)].filter((bits) => bits === bits).sort((a, b) => a - b);
  const places = new Map(levels.map((bits, code) => [bits, code]));
  const codes = Int32Array.from(rounded, (bits) => places.get(bits) ?? -1);
  return { key: `${operand}_bits`, title, levels, codes };
}

/** What the filters leave: `shown` by row, and the rows. */
function filtered(results, facets, state) {
  const shown = new Uint8Array(results.count).fill(1);
  for (const { key, levels, codes } of facets) {
    const chosen = state.chosen[key];
    if (!chosen || chosen.size === 0) continue;
    const keep = levels.map((level) => chosen.has(level));
    for (let row = 0; row < shown.length; row++) if (!keep[codes[row]]) shown[row] = 0;
  }
  for (const limit of state.limits) applyLimit(shown, results, limit);
  if (state.text.trim()) applyText(shown, results, state.text);
  return shown;
}

/** Keep points within a limit; one of a sweep is not of the others' points. */
function applyLimit(shown, results, { metric, end, value, sweep }) {
  const numbers = results.column(metric).numbers;
  for (let row = 0; row < shown.length; row++) {
    if (sweep && results.at("sweep", row) !== sweep) continue;
    const keeps = end === "min" ? numbers[row] >= value : numbers[row] <= value;
    if (!keeps) shown[row] = 0;
  }
}

/** Keep points whose names have all words of the text; `key=value` is all of a parameter. */
function applyText(shown, results, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => (word.includes("=") ? ` ${word} ` : word));
  const names = searchable(results);
  for (let row = 0; row < shown.length; row++) {
    if (shown[row] && !words.every((word) => names[row].includes(word))) shown[row] = 0;
  }
}

function searchable(results) {
  const named = ["design", "family", "unit", "label", "verilog", "parameters", "changes"];
  const pairs = ["lanes", "weight", "activation"];
  results.searched ??= Array.from({ length: results.count }, (_, row) => {
    const words = [...named.map((name) => results.at(name, row) ?? ""), ...pairs.map((name) => `${name}=${results.at(name, row)}`)];
    return ` ${words.join(" ")} `.toLowerCase();
  });
  return results.searched;
}

/** Fronts in some metrics, of what is shown; what their order and costs are is kept. */
class Fronts {
  constructor(results) {
    this.results = results;
    this.groups = results.column("target").numbers;
    this.kept = new Map();
    const published = results.content.targets.map((target) => target.method === "published");
    this.compared = Uint8Array.from(this.groups, (code) => (published[code] ? 0 : 1));
  }

  known(names) {
    const key = names.join();
    if (!this.kept.has(key)) {
      const costs = costsOf(this.results, names);
      this.kept.set(key, { costs, order: lexicographic(costs) });
    }
    return this.kept.get(key);
  }

  /** Pareto-optimal rows by target; published figures are on no front. */
  of(names, shown) {
    const { costs, order } = this.known(names);
    return frontOf(costs, order, this.comparable(shown), this.groups);
  }

  /** A generator of the rows within the band of these fronts. */
  within(names, shown, fronts) {
    const { order } = this.known(names);
    const axes = measured(this.results, names);
    return withinBand(axes, order, this.comparable(shown), this.groups, fronts);
  }

  comparable(shown) {
    return shown.map((flag, row) => flag & this.compared[row]);
  }
}
