/* The filters: levels to choose, words to look for, and limits on metrics. */

/** Positions of a slider. */
const STEPS = 200;

class Filters {
  constructor(results, facets, onChange) {
    Object.assign(this, { results, facets, onChange });
    this.chips = new Map();
    this.ranges = new Map();
  }

  /** Build the controls for a state. */
  build(state) {
    this.state = state;
    const limits = make("div", { className: "limits" });
    this.limits = limits;
    byId("facets").replaceChildren(
      this.search(),
      ...this.facets.map((one) => this.facet(one)),
      make("fieldset", {}, make("legend", {}, "Constraints"), limits, this.adder()),
    );
    this.buildLimits();
  }

  search() {
    const input = make("input", { type: "search", id: "text", value: this.state.text, placeholder: "int4 lanes=16 …", autocomplete: "off" });
    input.addEventListener("input", () => {
      this.state.text = input.value;
      this.onChange();
    });
    return make("label", { className: "search" }, "Unit", input);
  }

  facet({ key, title, levels }) {
    const chips = levels.map((level) => (level === null ? null : this.chip(key, level)));
    this.chips.set(key, chips);
    return make("fieldset", {}, make("legend", {}, title), make("div", { className: "chips" }, ...chips));
  }

  chip(key, level) {
    const chosen = this.state.chosen[key]?.has(level) ?? false;
    const count = make("span", { className: "count" });
    const swatch = make("span", { className: "swatch", ariaHidden: "true" });
    const chip = make("button", { type: "button", className: "chip", ariaPressed: String(chosen) }, swatch, String(level), count);
    chip.addEventListener("click", () => this.toggle(key, level, chip));
    return chip;
  }

  toggle(key, level, chip) {
    const chosen = (this.state.chosen[key] ??= new Set());
    if (!chosen.delete(level)) chosen.add(level);
    chip.ariaPressed = String(chosen.has(level));
    this.onChange(["target", "method", "sweep"].includes(key));
  }

  buildLimits() {
    this.limits.replaceChildren(...this.rows().map((limit) => this.limit(limit)));
  }

  /** A slider for each objective and for each further limit. */
  rows() {
    const { state, results } = this;
    const idle = results.content.objectives
      .map((metric) => ({ metric, end: endOf(results, metric), value: null }))
      .filter(({ metric, end }) => !state.limits.some((one) => one.metric === metric && one.end === end && !one.sweep));
    return [...idle, ...state.limits].sort(
      (a, b) => results.names.indexOf(a.metric) - results.names.indexOf(b.metric),
    );
  }

  limit(limit) {
    const { metric, end, sweep } = limit;
    const scale = this.scale(metric);
    const loose = end === "max" ? STEPS : 0;
    const of = sweep ? ` of ${sweep}` : "";
    const number = make("input", { type: "text", inputMode: "decimal", size: 8, placeholder: "any", ariaLabel: `${metric} ${end}${of}` });
    const slider = make("input", { type: "range", min: 0, max: STEPS, step: 1, ariaLabel: `${metric} ${end}${of}` });
    const show = () => {
      slider.value = limit.value === null ? loose : scale.place(limit.value);
      number.value = limit.value === null ? "" : String(limit.value);
    };
    slider.addEventListener("input", () => {
      const place = Number(slider.value);
      this.setLimit(limit, place === loose ? null : Number(scale.value(place).toPrecision(4)));
      number.ariaInvalid = "false";
      number.value = limit.value === null ? "" : String(limit.value);
    });
    number.addEventListener("change", () => {
      const value = number.value.trim() === "" ? null : Number(number.value);
      const isNumber = value === null || Number.isFinite(value);
      number.ariaInvalid = String(!isNumber);
      number.title = isNumber ? "" : "must be a number; the limit is as it was";
      if (!isNumber) return;
      this.setLimit(limit, value);
      show();
    });
    show();
    const label = this.results.metrics.get(metric).label;
    return make("div", { className: "limit" }, make("span", {}, `${label}${of}\u00a0${end === "max" ? "≤" : "≥"}`), number, slider);
  }

  setLimit(limit, value) {
    const { limits } = this.state;
    limit.value = value;
    if (value === null) limits.splice(0, limits.length, ...limits.filter((one) => one !== limit));
    else if (!limits.includes(limit)) limits.push(limit);
    this.onChange();
  }

  /** What positions of a metric's slider mean. */
  scale(metric) {
    if (!this.ranges.has(metric)) {
      const numbers = this.results.column(metric).numbers.filter(Number.isFinite);
      const low = numbers.reduce((a, b) => Math.min(a, b), Infinity);
      const high = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
      const log = this.results.metrics.get(metric).log && low > 0;
      this.ranges.set(metric, { low, high, log });
    }
    const { low, high, log } = this.ranges.get(metric);
    const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high];
    const width = to - from || 1;
    return {
      value: (place) => {
        const at = from + (width * place) / STEPS;
        return log ? Math.exp(at) : at;
      },
      place: (value) => Math.round((((log ? Math.log(value) : value) - from) / width) * STEPS),
    };
  }

  adder() {
    const select = make("select", { ariaLabel: "Add a constraint" }, make("option", { value: "" }, "Add a constraint …"));
    for (const { name, label } of this.results.metrics.values()) select.append(make("option", { value: name }, label));
    select.addEventListener("change", () => {
      if (select.value) this.add(select.value);
      select.value = "";
    });
    return select;
  }

  /** Add a limit that all points keep. */
  add(metric) {
    const end = endOf(this.results, metric);
    if (this.rows().some((one) => one.metric === metric && one.end === end && !one.sweep)) return;
    const scale = this.scale(metric);
    this.state.limits.push({ metric, end, value: scale.value(end === "max" ? STEPS : 0) });
    this.buildLimits();
    this.onChange();
  }

  /** Say how many points each level has among those that are shown, and in which colour. */
  mark(view, colour) {
    for (const { key, levels, codes } of this.facets) {
      const counts = new Uint32Array(levels.length);
      for (let row = 0; row < codes.length; row++) if (view.shown[row] && codes[row] >= 0) counts[codes[row]] += 1;
      const slots = key === colour ? slotsOf(this.results.column(key).coded) : null;
      this.chips.get(key).forEach((chip, code) => {
        if (!chip) return;
        chip.lastChild.textContent = counts[code];
        chip.classList.toggle("none", counts[code] === 0);
        colourSwatch(chip.firstChild, slots ? slots[code] : null);
      });
    }
  }
}

function colourSwatch(swatch, slot) {
  swatch.hidden = slot === null;
  if (slot === null) return;
  swatch.style.color = slotColour(slot);
  swatch.classList.toggle("open", slotRound(slot) !== "");
}

/** The end that a constraint on a metric has. */
function endOf(results, metric) {
  return results.metrics.get(metric).maximise ? "min" : "max";
}
