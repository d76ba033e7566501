/* What the reader chose. It is kept in the address, so that a link shows the same. */

const THEMES = ["auto", "light", "dark"];

function initialState(results) {
  const { objectives, limits, targets } = results.content;
  return {
    x: objectives[0],
    y: objectives.at(-1),
    colour: results.has("accelerator") ? "accelerator" : "family",
    chosen: { target: new Set([targetName(results, 0)].filter(() => targets.length > 1)) },
    limits: limits.map((limit) => ({ ...limit })),
    text: "",
    points: [],
    zoom: null,
    sort: { name: objectives[0], down: results.metrics.get(objectives[0]).maximise },
    theme: "auto",
  };
}

/** What a target is called among all; methods are named where there are several. */
function targetName(results, code) {
  const { targets } = results.content;
  const several = new Set(targets.map((target) => target.method)).size > 1;
  return several ? `${targets[code].name} (${targets[code].method})` : targets[code].name;
}

/** What a point is called in an address. */
function pointName(results, row) {
  const design = results.at("design", row) ?? results.at("unit", row);
  const sweep = results.content.sweeps.length > 1 ? `@${results.at("sweep", row)}` : "";
  return `${design}@${targetName(results, results.at("target", row))}${sweep}`;
}

function toHash(results, state) {
  const first = initialState(results);
  const words = new URLSearchParams();
  for (const key of ["x", "y", "colour", "text", "theme"]) {
    if (state[key] !== first[key]) words.set(key, state[key]);
  }
  for (const [facet, levels] of Object.entries(state.chosen)) {
    const same = [...levels].join() === [...(first.chosen[facet] ?? [])].join();
    if (!same) words.set(`only.${facet}`, JSON.stringify([...levels]));
  }
  if (JSON.stringify(state.limits) !== JSON.stringify(first.limits)) {
    words.set("limits", JSON.stringify(state.limits.map((l) => [l.metric, l.end, l.value, ...(l.sweep ? [l.sweep] : [])])));
  }
  for (const row of state.points) words.append("point", pointName(results, row));
  if (state.zoom) words.set("zoom", state.zoom.map((end) => end.toPrecision(5)).join());
  if (state.sort.name !== first.sort.name || state.sort.down !== first.sort.down) {
    words.set("sort", `${state.sort.down ? "-" : ""}${state.sort.name}`);
  }
  return words.toString();
}

/** The state of an address, and what in it this report does not have. */
function fromHash(results, facets, hash) {
  const state = initialState(results);
  const unknown = [];
  for (const [key, value] of new URLSearchParams(hash)) {
    const read = READERS[key.split(".")[0]];
    if (!read || !read(state, value, { results, facets, facet: key.slice(5) })) unknown.push(key);
  }
  return { state, unknown };
}

const isMetric = (results, name) => results.metrics.has(name);

const READERS = {
  x: (state, value, { results }) => isMetric(results, value) && assign(state, "x", value),
  y: (state, value, { results }) => isMetric(results, value) && assign(state, "y", value),
  colour: (state, value, { results }) => results.has(value) && assign(state, "colour", value),
  text: (state, value) => assign(state, "text", value),
  theme: (state, value) => THEMES.includes(value) && assign(state, "theme", value),
  only(state, value, { facets, facet }) {
    const found = facets.find((one) => one.key === facet);
    const levels = parsed(value);
    if (!found || !Array.isArray(levels)) return false;
    state.chosen[facet] = new Set(levels.filter((level) => found.levels.includes(level)));
    return state.chosen[facet].size === levels.length;
  },
  limits(state, value, { results }) {
    const limits = parsed(value);
    if (!Array.isArray(limits)) return false;
    const good = limits.filter(
      (limit) =>
        Array.isArray(limit) &&
        isMetric(results, limit[0]) &&
        ["min", "max"].includes(limit[1]) &&
        Number.isFinite(limit[2]) &&
        (limit[3] === undefined || results.content.sweeps.some(({ name }) => name === limit[3])),
    );
    state.limits = good.map(([metric, end, number, sweep]) => ({ metric, end, value: number, ...(sweep && { sweep }) }));
    return good.length === limits.length;
  },
  point(state, value, { results }) {
    for (let row = 0; row < results.count; row++) {
      if (value.startsWith(results.at("design", row) ?? results.at("unit", row))) {
        if (pointName(results, row) === value) return state.points.push(row) <= 2;
      }
    }
    return false;
  },
  zoom(state, value) {
    const ends = value.split(",").map(Number);
    return ends.length === 4 && ends.every(Number.isFinite) && assign(state, "zoom", ends);
  },
  sort(state, value, { results }) {
    const name = value.replace(/^-/, "");
    return results.has(name) && assign(state, "sort", { name, down: value.startsWith("-") });
  },
};

function assign(state, key, value) {
  state[key] = value;
  return true;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
