/* The page: what the reader chose, to what is shown. */

class Page {
  constructor(results) {
    this.results = results;
    this.facets = facetsOf(results);
    this.fronts = new Fronts(results);
    this.filters = new Filters(results, this.facets, (refit) => this.changed(refit));
    this.table = new Table(results, {
      onPick: (row, event) => this.pick(row, event),
      onOpen: (row, event) => this.openLine(row, event),
      onSort: (name) => this.sort(name),
    });
    byId("filters").open = matchMedia("(min-width: 861px)").matches;
    this.restore();
    this.listen();
    window.addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== this.hash) this.restore();
    });
  }

  /** Take the state from the address. */
  restore() {
    const { state, unknown } = fromHash(this.results, this.facets, location.hash.slice(1));
    this.state = state;
    this.hash = location.hash.slice(1);
    byId("notice").hidden = unknown.length === 0;
    byId("notice").textContent = `The address asks for what this report does not have: ${unknown.join(", ")}.`;
    this.setTheme(state.theme);
    this.filters.build(state);
    this.fillSelects();
    this.prepare();
    if (this.chart) this.draw();
    this.later();
  }

  /** Begin to draw, once the library is there. */
  start() {
    this.chart = new Chart(this.results, byId("chart"), {
      onHover: (row, event) => this.hover(row, event),
      onLeave: () => (byId("tip").hidden = true),
      onPick: (row, event) => this.pick(row, event),
      onZoom: (zoom) => this.zoom(zoom),
    });
    this.draw().then(() => requestAnimationFrame(() => performance.mark("hwsim-chart")));
  }

  /** Find what the filters leave, and the fronts. */
  prepare() {
    const { results, facets, state, fronts } = this;
    const shown = filtered(results, facets, state);
    this.optimalFronts = fronts.of(results.content.objectives, shown);
    const optimal = [...this.optimalFronts.values()].flat();
    this.view = {
      results, state, shown, optimal, optimalSet: new Set(optimal), within: null, withinSet: null,
      axisFronts: this.axisFronts(shown),
      extent: this.extent(),
    };
    this.say();
  }

  /** The fronts of the two axes, each from left to right. */
  axisFronts(shown) {
    const { x, y } = this.state;
    if (x === y) return new Map();
    const values = this.results.column(x).numbers;
    const found = this.fronts.of([x, y], shown);
    for (const rows of found.values()) rows.sort((a, b) => values[a] - values[b]);
    return found;
  }

  /** Points of the targets, methods and sweeps that are chosen, which the axes take in. */
  extent() {
    const wide = { ...this.state, limits: [], text: "", chosen: {} };
    for (const key of ["target", "method", "sweep"]) wide.chosen[key] = this.state.chosen[key];
    return this.fit ?? filtered(this.results, this.facets, wide);
  }

  /** The filters were changed; other targets need other axes. */
  changed(refit = false) {
    if (refit) this.state.zoom = null;
    this.fit = null;
    this.update();
  }

  update() {
    performance.mark("hwsim-change");
    this.prepare();
    this.draw();
    performance.measure("hwsim-update", "hwsim-change");
    this.later();
  }

  draw() {
    const empty = !this.view.shown.includes(1);
    byId("empty").hidden = !empty;
    if (empty) byId("why").textContent = this.reasons();
    return this.chart.draw(this.view);
  }

  reasons() {
    const { state } = this;
    const facets = this.facets.filter(({ key }) => state.chosen[key]?.size).map(({ title }) => title);
    const limits = state.limits.map(({ metric }) => this.results.metrics.get(metric).label);
    return `In force: ${[...facets, ...limits, ...(state.text ? [`“${state.text}”`] : [])].join(", ")}.`;
  }

  /** What need not be there with the next frame: table, counts, address, and who is within errors. */
  later() {
    clearTimeout(this.timer);
    this.generator = null;
    this.timer = setTimeout(() => {
      this.filters.mark(this.view, this.state.colour);
      this.table.show(this.view);
      this.showDetails();
      this.legend();
      this.keepHash();
      this.generator = this.fronts.within(this.results.content.objectives, this.view.shown, this.optimalFronts);
      this.findBand(this.generator);
    }, 60);
  }

  findBand(generator) {
    if (generator !== this.generator) return;
    const { value } = generator.next();
    if (value === null) {
      setTimeout(() => this.findBand(generator), 0);
      return;
    }
    this.view.within = value;
    this.view.withinSet = new Set(value);
    this.say();
    this.table.fill();
    if (this.state.points.length) this.showDetails();
    if (this.chart && value.length) this.chart.drawRings(value);
    byId("chart").dataset.band = value.length;
  }

  /** Say how much is shown. */
  say() {
    const { view, results, state } = this;
    const shown = view.shown.reduce((sum, flag) => sum + flag, 0);
    const parts = [`${shown} of ${counted(results.count, "point")} shown`, `${view.optimal.length} Pareto-optimal in ${labelsOf(results)}`];
    if (view.within?.length) parts.push(`${view.within.length} more that errors cannot tell from these`);
    const axes = [state.x, state.y].map((name) => results.column(name).numbers);
    let missing = 0;
    view.shown.forEach((flag, row) => (missing += flag && !axes.every((values) => Number.isFinite(values[row]))));
    if (missing) parts.push(`${missing} without a value on these axes`);
    byId("status").textContent = `${parts.join(" · ")}.`;
  }

  legend() {
    const { results, view } = this;
    const methods = new Set();
    view.shown.forEach((flag, row) => flag && methods.add(results.at("method", row)));
    const kinds = [...methods].map((method) => [GLYPHS[method], `${method}: ${results.content.methods[method]}`]);
    const rest = [["⬤", "large: Pareto-optimal in all objectives"], ["◯", "ring: behind by no more than errors"], ["┗", "line: front of the two axes"]];
    byId("legend").replaceChildren(...[...kinds, ...rest].map(([glyph, text]) =>
      make("li", {}, make("span", { className: "glyph", ariaHidden: "true" }, glyph), text)));
  }

  hover(row, event) {
    const tip = byId("tip");
    tip.replaceChildren(...tipOf(this.view, row));
    tip.hidden = false;
    const frame = byId("chart").parentElement.getBoundingClientRect();
    const left = event.clientX - frame.left;
    const top = event.clientY - frame.top;
    const { offsetWidth: width, offsetHeight: height } = tip;
    tip.style.left = `${left + 18 + width < frame.width ? left + 18 : Math.max(0, left - width - 18)}px`;
    tip.style.top = `${Math.max(0, Math.min(top - 10, frame.height - height))}px`;
  }

  /** Open a point; with Shift, or where one is open already, put it beside that. */
  pick(row, event) {
    const { points } = this.state;
    if (points.includes(row)) return;
    if (points.length === 1) points.push(row);
    else if (event?.shiftKey && points.length === 2) points.splice(1, 1, row);
    else points.splice(0, 2, row);
    this.shownAgain();
  }

  close(row) {
    this.state.points = this.state.points.filter((one) => one !== row);
    this.shownAgain();
  }

  /** The same points are shown, others are chosen. */
  shownAgain() {
    this.view.state = this.state;
    this.chart?.draw(this.view);
    this.showDetails();
    this.table.fill();
    this.keepHash();
  }

  /** The section keeps the focus of what in it is replaced. */
  showDetails() {
    const actions = { onClose: (row) => this.close(row), onPick: (row) => this.pick(row) };
    const details = byId("details");
    const focused = details.contains(document.activeElement);
    details.replaceChildren(...detailsOf(this.view, actions));
    if (focused) details.focus({ preventScroll: true });
  }

  zoom(ends) {
    this.state.zoom = ends;
    this.keepHash();
    if (!ends) this.draw();
  }

  sort(name) {
    const { sort } = this.state;
    this.state.sort = { name, down: sort.name === name ? !sort.down : false };
    this.table.page = 0;
    this.table.show(this.view);
    this.keepHash();
  }

  keepHash() {
    this.hash = toHash(this.results, this.state);
    history.replaceState(null, "", `#${this.hash}`);
  }

  setTheme(theme) {
    this.state.theme = theme;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId("theme").textContent = `Theme: ${theme}`;
  }

  fillSelects() {
    const metrics = [...this.results.metrics.values()].map(({ name, label }) => [name, label]);
    const names = { accelerator: "accelerator", family: "family", target: "technology and clock", method: "kind of figure", weight: "weights", activation: "activations", sweep: "sweep", lanes: "lanes" };
    const kinds = Object.entries(names).filter(([name]) => this.results.has(name) && this.results.column(name).coded.levels.length > 1);
    fillSelect(byId("x"), metrics, this.state.x);
    fillSelect(byId("y"), metrics, this.state.y);
    fillSelect(byId("colour"), [...kinds, ...metrics], this.state.colour);
  }

  listen() {
    for (const key of ["x", "y", "colour"]) {
      byId(key).addEventListener("change", () => {
        this.state[key] = byId(key).value;
        if (key !== "colour") this.state.zoom = null;
        this.update();
      });
    }
    byId("theme").addEventListener("click", () => {
      this.setTheme(THEMES[(THEMES.indexOf(this.state.theme) + 1) % THEMES.length]);
      this.update();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.update());
    for (const id of ["clear", "reset"]) byId(id).addEventListener("click", (event) => this.clear(event));
    byId("fit").addEventListener("click", () => {
      this.state.zoom = null;
      this.fit = this.view.shown.includes(1) ? this.view.shown : null;
      this.update();
    });
    for (const format of ["png", "svg"]) byId(format).addEventListener("click", () => this.chart.save(format));
    byId("chart").addEventListener("keydown", (event) => this.key(event));
    byId("details").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.back();
    });
  }

  clear(event) {
    event.preventDefault();
    const first = initialState(this.results);
    Object.assign(this.state, { chosen: first.chosen, limits: first.limits, text: "", zoom: null });
    this.fit = null;
    this.filters.build(this.state);
    this.update();
  }

  /** Keys in the chart: along the front of the axes, open, compare, close. */
  key(event) {
    const actions = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      Enter: () => this.openCursor(false),
      c: () => this.openCursor(true),
      Escape: () => this.leave(),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  step(by) {
    const { results, state } = this;
    const values = results.column(state.x).numbers;
    const rows = [...this.view.axisFronts.values()].flat().sort((a, b) => values[a] - values[b]);
    if (rows.length === 0) return;
    const place = rows.indexOf(state.cursor);
    const next = place < 0 ? (by > 0 ? 0 : rows.length - 1) : (place + by + rows.length) % rows.length;
    state.cursor = rows[next];
    this.chart.draw(this.view);
    const frame = byId("chart").getBoundingClientRect();
    const [x, y] = this.chart.axes.map(({ log, values: of }) => (log ? Math.log10(of[rows[next]]) : of[rows[next]]));
    const [left, top] = this.chart.pixel(x, y);
    this.hover(state.cursor, { clientX: frame.left + left + MARGIN.l, clientY: frame.top + top + MARGIN.t });
    byId("status").textContent = `${results.at("label", state.cursor)}: ${[state.x, state.y]
      .map((name) => `${results.metrics.get(name).label} ${figure(results.at(name, state.cursor))}`)
      .join(", ")}.`;
  }

  openCursor(beside) {
    const { state } = this;
    if (state.cursor === undefined) return;
    if (!beside) state.points = [];
    this.pick(state.cursor);
    this.enter(() => byId("chart"));
  }

  /** A line of the table was opened by key. */
  openLine(row, event) {
    this.pick(row, event);
    this.enter(() => this.table.lineOf(row) ?? byId("chart"));
  }

  /** Go to the details, from where Escape leads back. */
  enter(from) {
    this.from = from;
    byId("details").focus();
  }

  back() {
    this.leave();
    (this.from?.() ?? byId("chart")).focus();
  }

  leave() {
    this.state.cursor = undefined;
    this.state.points = [];
    byId("tip").hidden = true;
    this.say();
    this.shownAgain();
  }
}

function fillSelect(select, options, value) {
  select.replaceChildren(...options.map(([name, label]) => make("option", { value: name, selected: name === value }, label)));
}

function labelsOf(results) {
  return results.content.objectives.map((name) => results.metrics.get(name).label).join(", ");
}

/** Points that are named of those that failed for one reason; failed.csv has all. */
const NAMED = 8;

/** The head: what was measured, with what, and on what. */
function introduce(results) {
  const { title, sweeps, targets, methods, families } = results.content;
  const known = targets.filter((target) => target.method !== "published");
  const places = known.map(({ name, corner }) => (corner ? `${name} (${corner})` : name));
  const ways = [...new Set(known.map(({ method }) => methods[method]))];
  const tensors = results.has("tensors") ? results.column("tensors").coded.levels.filter(Boolean) : [];
  const count = sweeps.reduce((sum, { points }) => sum + points, 0);
  const what = results.has("accelerator") ? "accelerators" : "multiply-accumulate units";
  byId("title").textContent = title;
  byId("lede").textContent =
    `${counted(count, "point")} of ${what}, ${Object.keys(families).length} famil${Object.keys(families).length === 1 ? "y" : "ies"}: ` +
    `${ways.join("; ")}. ${places.join("; ")}.` + (tensors.length ? ` Accuracy on ${tensors.join(", ")}.` : "");
  const versions = new Set(sweeps.flatMap((sweep) => Object.entries(sweep.versions).map((pair) => pair.join(" "))));
  byId("tools").textContent = [...versions].join(" · ");
  showFailures(sweeps);
}

/** Points that are not here, as they failed: which ones, and why. */
function showFailures(sweeps) {
  const failed = sweeps.flatMap(({ name, failed: reasons }) => reasons.map((one) => ({ name, ...one })));
  const count = failed.reduce((sum, { designs }) => sum + designs.length, 0);
  if (count === 0) return;
  const lines = failed.map(({ name, reason, designs }) => {
    const rest = designs.length > NAMED ? ` and ${designs.length - NAMED} more` : "";
    const of = sweeps.length > 1 ? ` (${name})` : "";
    return make("li", {}, `${reason}: ${designs.slice(0, NAMED).join(", ")}${rest}${of}`);
  });
  byId("failed").replaceChildren(make("summary", {}, `${counted(count, "point")} failed and ${count === 1 ? "is" : "are"} not shown.`), make("ul", {}, ...lines));
  byId("failed").hidden = false;
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

const results = new Results(JSON.parse(byId("data").textContent));
introduce(results);
const page = new Page(results);
