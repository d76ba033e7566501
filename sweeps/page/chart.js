/* The scatter: what is shown as WebGL, the fronts as lines over it. Plotly draws, zooms and picks. */

const SYMBOLS = { estimate: "circle", interpolated: "hexagon", synthesis: "square", fpga: "triangle-up", published: "diamond" };
const GLYPHS = { estimate: "●", interpolated: "⬢", synthesis: "■", fpga: "▲", published: "◆" };
/** Levels of a colour are told apart by hue, then by outline; the rest is grey. */
const HUES = 8;
const ROUNDS = ["", "-open"];
const MARGIN = { l: 66, r: 18, t: 14, b: 54 };
const PAD = 0.04;
/** Most points of a front that get labels, and the size of a label's characters in pixels. */
const LABELLED = 40;
const LETTER = { width: 5.7, height: 14 };

/** A colour of the style sheet as it is in the present theme: that of an element which has it. */
function cssColour(name) {
  const probe = document.getElementById("probe");
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Which hue and outline each level of a column has: the most frequent ones first. */
function slotsOf({ levels, codes }) {
  const counts = new Float64Array(levels.length);
  for (const code of codes) counts[code] += 1;
  const ranked = [...levels.keys()].sort((a, b) => counts[b] - counts[a]);
  const slots = new Uint8Array(levels.length);
  ranked.forEach((level, place) => (slots[level] = Math.min(place, HUES * ROUNDS.length)));
  return slots;
}

function slotColour(slot) {
  return slot < HUES * ROUNDS.length ? cssColour(`--hue-${slot % HUES}`) : cssColour("--others");
}

function slotRound(slot) {
  return slot < HUES * ROUNDS.length ? ROUNDS[Math.floor(slot / HUES)] : "";
}

class Chart {
  constructor(results, element, { onHover, onLeave, onPick, onZoom }) {
    Object.assign(this, { results, element, onHover, onLeave, onPick, onZoom });
    this.keys = new Map();
    this.rows = [];
    this.methods = results.column("method").coded;
  }

  /** Draw a view: what is shown, the fronts, the state. */
  draw(view) {
    this.view = view;
    const { x, y } = view.state;
    this.axes = [x, y].map((name) => this.axis(name));
    this.range = this.fitted();
    const traces = [...this.clouds(), this.rings(), this.strong(), ...this.lines(), this.chosen()];
    this.rows = traces.map((trace) => trace.rows);
    for (const trace of traces) delete trace.rows;
    this.ringTrace = traces.findIndex((trace) => trace.name === "rings");
    const first = !this.drawn;
    this.drawn = true;
    const done = Plotly.react(this.element, traces, this.layout(), this.config());
    if (first) this.listen();
    return done;
  }

  listen() {
    const rowOf = ({ points }) => this.rows[points[0].curveNumber]?.[points[0].pointNumber];
    this.element.on("plotly_hover", (event) => {
      const row = rowOf(event);
      if (row !== undefined) this.onHover(row, event.event);
    });
    this.element.on("plotly_unhover", () => this.onLeave());
    this.element.on("plotly_click", (event) => {
      const row = rowOf(event);
      if (row !== undefined) this.onPick(row, event.event);
    });
    this.element.on("plotly_relayout", (change) => this.zoomed(change));
    this.element.on("plotly_doubleclick", () => this.onZoom(null));
  }

  zoomed(change) {
    if (!Object.keys(change).some((key) => /axis\.(range|autorange)/.test(key))) return;
    const { xaxis, yaxis } = this.element.layout;
    const ends = [...xaxis.range, ...yaxis.range].map(Number);
    this.onZoom(ends);
    this.range = ends;
    const [x, y] = this.axes.map(({ log }, along) => (log ? ticks(ends.slice(2 * along, 2 * along + 2)) : {}));
    const named = (axis, of) => Object.fromEntries(Object.entries(of).map(([key, value]) => [`${axis}.${key}`, value]));
    Plotly.relayout(this.element, { annotations: this.labels(), ...named("xaxis", x), ...named("yaxis", y) });
  }

  axis(name) {
    const metric = this.results.metrics.get(name);
    const values = this.results.column(name).numbers;
    const log = metric.log && !values.some((value) => value <= 0);
    return { metric, values, log };
  }

  /** Whether a row has a place on both axes. */
  isPlaced(row) {
    return this.axes.every(({ values }) => Number.isFinite(values[row]));
  }

  /** The ends of both axes: the reader's, or what takes in all points of the chosen targets. */
  fitted() {
    if (this.view.state.zoom) return this.view.state.zoom;
    return this.axes.flatMap((axis, along) => this.ends(axis, this.view.extent, along));
  }

  ends({ values, log, metric }, rows, along) {
    let [low, high] = [Infinity, -Infinity];
    for (let row = 0; row < rows.length; row++) {
      if (!rows[row] || !this.isPlaced(row)) continue;
      low = Math.min(low, values[row]);
      high = Math.max(high, values[row]);
    }
    if (low > high) [low, high] = [1, 10];
    if (log) [low, high] = [Math.log10(low), Math.log10(high)];
    const width = high - low || 1;
    // Labels stand on the better side of the front.
    const room = along === 0 && this.hasLabels() ? 0.12 : 0;
    const [before, after] = metric.maximise ? [0, room] : [room, 0];
    return [low - (PAD + before) * width, high + (PAD + after) * width];
  }

  hasLabels() {
    return this.element.clientWidth > 520;
  }

  /** Points by method and colour, faint where there are many. */
  clouds() {
    const { shown, state } = this.view;
    const metric = this.results.metrics.get(state.colour);
    const keys = this.traceKeys(state.colour, metric);
    const sizes = new Map();
    for (let row = 0; row < shown.length; row++) {
      if (shown[row] && this.isPlaced(row)) sizes.set(keys[row], (sizes.get(keys[row]) ?? 0) + 1);
    }
    const total = [...sizes.values()].reduce((a, b) => a + b, 0);
    const clouds = new Map();
    for (const [key, size] of sizes) clouds.set(key, this.cloud(key, size, total, metric));
    for (let row = 0; row < shown.length; row++) {
      if (shown[row] && this.isPlaced(row)) this.put(clouds.get(keys[row]), row);
    }
    if (metric) this.colourBy(metric, [...clouds.values()]);
    return [...clouds.values()].map(({ trace }) => trace);
  }

  /** For each row the method, and the slot of its colour; kept, as both seldom change. */
  traceKeys(name, metric) {
    if (!this.keys.has(name)) {
      const { codes } = this.methods;
      const coded = metric ? null : this.results.column(name).coded;
      const slots = metric ? null : slotsOf(coded);
      const keys = Uint16Array.from(codes, (method, row) =>
        metric ? method * 256 : method * 256 + slots[coded.codes[row]],
      );
      this.keys.set(name, keys);
    }
    return this.keys.get(name);
  }

  cloud(key, size, total, metric) {
    const method = this.methods.levels[key >> 8];
    const slot = key & 255;
    const many = total > 3000;
    const marker = {
      symbol: SYMBOLS[method] + (metric ? "" : slotRound(slot)),
      color: slotColour(slot),
      size: many ? 4 : total > 400 ? 6 : 8,
      opacity: many ? 0.45 : 0.6,
      line: { width: 0 },
    };
    const rows = new Uint32Array(size);
    const trace = { ...POINTS, rows, x: new Float64Array(size), y: new Float64Array(size), marker };
    return { trace, filled: 0 };
  }

  put(cloud, row) {
    const place = cloud.filled++;
    cloud.trace.rows[place] = row;
    cloud.trace.x[place] = this.axes[0].values[row];
    cloud.trace.y[place] = this.axes[1].values[row];
  }

  colourBy(metric, clouds) {
    const numbers = this.results.column(metric.name).numbers;
    const scaled = metric.log && !numbers.some((value) => value <= 0);
    const value = (row) => (scaled ? Math.log10(numbers[row]) : numbers[row]);
    const all = clouds.flatMap(({ trace }) => Array.from(trace.rows, value)).filter(Number.isFinite);
    clouds.forEach(({ trace }, place) => {
      Object.assign(trace.marker, {
        color: Array.from(trace.rows, value),
        colorscale: "Cividis",
        cmin: all.reduce((a, b) => Math.min(a, b), Infinity),
        cmax: all.reduce((a, b) => Math.max(a, b), -Infinity),
        showscale: place === 0,
        colorbar: {
          title: { text: metric.label + (scaled ? ", log₁₀" : ""), side: "right" },
          thickness: 10,
          outlinewidth: 0,
        },
      });
    });
  }

  /** Marks of some rows that all look alike but for colour. */
  marks(rows, marker, type = "scattergl") {
    const placed = rows.filter((row) => this.isPlaced(row));
    const [x, y] = this.axes.map(({ values }) => placed.map((row) => values[row]));
    return { ...POINTS, type, rows: placed, x, y, marker };
  }

  colourOf(row) {
    const { colour } = this.view.state;
    if (this.results.metrics.has(colour)) return cssColour("--text");
    return slotColour(this.traceKeys(colour)[row] & 255);
  }

  symbolOf(row) {
    const key = this.traceKeys(this.view.state.colour, this.results.metrics.get(this.view.state.colour))[row];
    return SYMBOLS[this.methods.levels[key >> 8]] + slotRound(key & 255);
  }

  /** Pareto-optimal points in all objectives. */
  strong() {
    const rows = this.view.optimal;
    const trace = this.marks(rows, null);
    trace.marker = {
      size: 10,
      color: trace.rows.map((row) => this.colourOf(row)),
      symbol: trace.rows.map((row) => this.symbolOf(row)),
      line: { width: 1, color: cssColour("--surface") },
    };
    return trace;
  }

  /** Points that errors cannot tell from these. */
  rings() {
    const line = { width: 1, color: cssColour("--quiet") };
    const marker = { size: 13, symbol: "circle-open", color: cssColour("--quiet"), line };
    return { ...this.marks(this.view.within ?? [], marker), name: "rings" };
  }

  drawRings(rows) {
    this.view.within = rows;
    const { x, y, rows: placed } = this.rings();
    this.rows[this.ringTrace] = placed;
    return Plotly.restyle(this.element, { x: [x], y: [y] }, [this.ringTrace]);
  }

  /** The front of the two axes, a line for each target. */
  lines() {
    const shape = this.axes[0].metric.maximise ? "vh" : "hv";
    return [...this.view.axisFronts.values()].map((rows) => {
      const [x, y] = this.axes.map(({ values }) => rows.map((row) => values[row]));
      const line = { shape, color: cssColour("--front"), width: 1.4 };
      return { type: "scatter", mode: "lines", x, y, rows: [], line, hoverinfo: "skip", showlegend: false };
    });
  }

  /** The points whose details are shown, with what 95 % of units stay within. */
  chosen() {
    const { points, cursor } = this.view.state;
    const rows = points.concat(cursor === undefined || points.includes(cursor) ? [] : [cursor]);
    const marker = {
      size: 17,
      symbol: "circle-open",
      color: cssColour("--text"),
      line: { width: 2, color: cssColour("--text") },
    };
    const trace = this.marks(rows, marker, "scatter");
    const [errorX, errorY] = this.axes.map((axis) => this.errorBars(axis, trace.rows));
    const text = trace.rows.map((row) => "AB"[points.indexOf(row)] ?? "");
    return {
      ...trace, mode: "markers+text", text, textposition: "top right", error_x: errorX, error_y: errorY,
      textfont: { size: 13, color: cssColour("--text") },
    };
  }

  errorBars({ metric, values }, rows) {
    const factors = rows.map((row) => 1 + (errorOf(this.results, metric, 95, row) ?? 0) / 100);
    return {
      type: "data",
      symmetric: false,
      array: rows.map((row, k) => values[row] * (factors[k] - 1)),
      arrayminus: rows.map((row, k) => values[row] * (1 - 1 / factors[k])),
      color: cssColour("--text"),
      thickness: 1,
      width: 3,
    };
  }

  layout() {
    const [x0, x1, y0, y1] = this.range;
    const [x, y] = this.axes;
    return {
      xaxis: this.axisLayout(x, [x0, x1]),
      yaxis: this.axisLayout(y, [y0, y1]),
      margin: this.element.clientWidth > 520 ? MARGIN : { ...MARGIN, l: 52, r: 8 },
      font: { family: "system-ui, sans-serif", size: 12, color: cssColour("--text") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hovermode: "closest",
      hoverdistance: 16,
      dragmode: "zoom",
      showlegend: false,
      annotations: this.labels(),
    };
  }

  axisLayout({ metric, log }, range) {
    const better = metric.maximise ? "more is better" : "less is better";
    return {
      type: log ? "log" : "linear",
      range,
      ...(log ? ticks(range) : {}),
      autorange: false,
      title: { text: `${escapeMarkup(metric.label)}  <i>${better}</i>`, standoff: 10 },
      gridcolor: cssColour("--grid"),
      linecolor: cssColour("--edge"),
      zeroline: false,
      showline: true,
      ticks: "outside",
      ticklen: 4,
      tickcolor: cssColour("--edge"),
      exponentformat: "power",
      minexponent: 5,
      automargin: false,
    };
  }

  /** Labels of the front's points, on its better side, where they do not overlap. */
  labels() {
    if (!this.hasLabels() || !this.view) return [];
    const rows = [...this.view.axisFronts.values()].flat();
    if (rows.length > LABELLED) return [];
    const taken = [];
    return rows.map((row) => this.label(row, taken)).filter(Boolean);
  }

  label(row, taken) {
    const text = String(this.results.at("label", row));
    const [x, y] = this.axes.map(({ log, values }) => (log ? Math.log10(values[row]) : values[row]));
    const [left, top] = this.pixel(x, y);
    const [toRight, above] = this.axes.map(({ metric }) => metric.maximise);
    const width = text.length * LETTER.width;
    const box = {
      left: toRight ? left + 6 : left - width - 6,
      top: above ? top - LETTER.height - 4 : top + 4,
      width,
    };
    const room = this.element.clientWidth - MARGIN.l - MARGIN.r;
    const overlaps = taken.some(
      (other) =>
        Math.abs(other.top - box.top) < LETTER.height &&
        box.left < other.left + other.width &&
        other.left < box.left + width,
    );
    if (overlaps || box.left < 0 || box.left + width > room || box.top < 0) return null;
    taken.push(box);
    return {
      x, y, text: escapeMarkup(text), showarrow: false,
      xanchor: toRight ? "left" : "right", yanchor: above ? "bottom" : "top",
      xshift: toRight ? 6 : -6, yshift: above ? 3 : -3,
      font: { size: 11, color: cssColour("--text") },
    };
  }

  /** Where a place on the axes is within the plot, in pixels. */
  pixel(x, y) {
    const [x0, x1, y0, y1] = this.range;
    const width = this.element.clientWidth - MARGIN.l - MARGIN.r;
    const height = this.element.clientHeight - MARGIN.t - MARGIN.b;
    return [((x - x0) / (x1 - x0)) * width, (1 - (y - y0) / (y1 - y0)) * height];
  }

  config() {
    return {
      responsive: true,
      displayModeBar: false,
      scrollZoom: true,
      doubleClick: false,
      plotGlPixelRatio: Math.min(window.devicePixelRatio || 1, 2),
    };
  }

  save(format) {
    const { clientWidth: width, clientHeight: height } = this.element;
    Plotly.downloadImage(this.element, { format, filename: "hwsim", width, height, scale: 2 });
  }
}

/** Most decades that have ticks between the powers of ten. */
const DECADES = 3;

/** Where a logarithmic axis between two powers of ten has ticks, and what they say. */
function ticks([low, high]) {
  const values = high - low < 1 ? evenTicks(10 ** low, 10 ** high) : decadeTicks(low, high);
  return { tickmode: "array", tickvals: values, ticktext: values.map(figure) };
}

function decadeTicks(low, high) {
  const steps = high - low > DECADES ? [1] : [1, 2, 5];
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, k) => Math.floor(low) + k);
  const values = decades.flatMap((decade) => steps.map((step) => Number(`${step}e${decade}`)));
  return values.filter((value) => value >= 10 ** low && value <= 10 ** high);
}

/** Round numbers at equal distances, of which there are some five. */
function evenTicks(low, high) {
  const size = 10 ** Math.floor(Math.log10((high - low) / 5));
  const step = size * [1, 2, 5, 10].find((factor) => factor * size >= (high - low) / 8);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

const POINTS = { type: "scattergl", mode: "markers", hoverinfo: "none", showlegend: false };

/** Plotly reads some markup in text; what comes from files has none. */
function escapeMarkup(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The error that a share of units stays within, in percent; null where it is unknown. */
function errorOf(results, metric, level, row) {
  const name = metric.errors[level];
  return name ? results.at(name, row) : null;
}
