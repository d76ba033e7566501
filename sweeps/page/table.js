/* The points as a table: sorted by any column, a page at a time, and as CSV. */

const PAGE = 50;

class Table {
  constructor(results, { onPick, onOpen, onSort }) {
    Object.assign(this, { results, onPick, onOpen, onSort, page: 0, rows: new Uint32Array() });
    byId("previous").addEventListener("click", () => this.turn(-1));
    byId("next").addEventListener("click", () => this.turn(1));
    byId("csv").addEventListener("click", () => this.save());
  }

  show(view) {
    this.view = view;
    this.rows = inOrder(this.results, view.state.sort).filter((row) => view.shown[row]);
    this.page = Math.min(this.page, Math.max(0, Math.ceil(this.rows.length / PAGE) - 1));
    this.fill();
  }

  turn(step) {
    this.page += step;
    this.fill();
  }

  get columns() {
    const { results, view } = this;
    const kind = results.has("accelerator") ? "accelerator" : "family";
    const few = ["label", kind, "weight", "activation", "lanes"];
    const metrics = new Set([...results.content.objectives, view.state.x, view.state.y]);
    const several = view.state.chosen.target?.size === 1 ? [] : ["target"];
    return [...few, ...metrics, ...several].filter((name) => results.has(name));
  }

  fill() {
    const { columns, rows, page, view } = this;
    // What is replaced and has the focus gets it again.
    const { row: focused, heading } = document.activeElement.dataset;
    byId("head").replaceChildren(make("tr", {}, ...columns.map((name) => this.heading(name)), make("th", { scope: "col" }, "front")));
    const visible = Array.from(rows.slice(page * PAGE, (page + 1) * PAGE));
    byId("body").replaceChildren(...visible.map((row) => this.line(columns, row, view)));
    if (heading !== undefined) byId("head").querySelector(`[data-heading="${heading}"]`)?.focus();
    if (focused !== undefined) this.lineOf(focused)?.focus({ preventScroll: true });
    byId("pages").textContent = rows.length
      ? `${page * PAGE + 1}–${page * PAGE + visible.length} of ${rows.length}`
      : "no point";
    byId("previous").disabled = page === 0;
    byId("next").disabled = (page + 1) * PAGE >= rows.length;
  }

  /** The line of a row, if its page is shown. */
  lineOf(row) {
    return byId("body").querySelector(`[data-row="${row}"]`);
  }

  heading(name) {
    const { sort } = this.view.state;
    const metric = this.results.metrics.get(name);
    const arrow = sort.name === name ? (sort.down ? " ↓" : " ↑") : "";
    const button = make("button", { type: "button", className: "plain" }, HEADINGS[name] ?? metric?.label ?? name, arrow);
    button.dataset.heading = name;
    button.addEventListener("click", () => this.onSort(name));
    const order = sort.name === name ? (sort.down ? "descending" : "ascending") : "none";
    return make("th", { scope: "col", ariaSort: order, className: metric ? "number" : "" }, button);
  }

  line(columns, row, view) {
    const cells = columns.map((name) => this.cell(name, row));
    const short = view.optimalSet.has(row) ? "optimal" : view.withinSet?.has(row) ? "within errors" : "";
    const line = make("tr", { tabIndex: 0 }, ...cells, make("td", {}, short));
    line.dataset.row = row;
    if (view.state.points.includes(row)) line.className = "chosen";
    line.addEventListener("click", (event) => this.onPick(row, event));
    line.addEventListener("keydown", (event) => this.onKey(event, line, row));
    return line;
  }

  onKey(event, line, row) {
    const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
    if (event.key === "Enter") this.onOpen(row, event);
    else if (next) next.focus();
    else return;
    event.preventDefault();
  }

  cell(name, row) {
    if (name === "target") return make("td", {}, this.results.target(row).name);
    const isMetric = this.results.metrics.has(name);
    return make("td", { className: isMetric ? "number" : "" }, figure(this.results.at(name, row)));
  }

  /** All columns of what is shown, in the order of the table. */
  save() {
    const { results, rows } = this;
    const names = results.names.filter((name) => name !== "target");
    const lines = Array.from(rows, (row) => names.map((name) => csvCell(results.at(name, row))).join());
    const text = `${[names.map(csvCell).join(), ...lines].join("\n")}\n`;
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "points.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

const HEADINGS = { label: "point", target: "technology and clock" };

function csvCell(value) {
  const text = value === null ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** All rows by a column, those without a value last; kept, as filters are changed more often. */
function inOrder(results, { name, down }) {
  results.orders ??= new Map();
  const key = `${down ? "-" : ""}${name}`;
  if (!results.orders.has(key)) {
    const isNumber = results.metrics.has(name) || name === "lanes";
    const values = isNumber ? results.column(name).numbers : ranks(results.column(name).coded);
    const signed = values.map((value) => (value === value ? (down ? -value : value) : Infinity));
    const rows = Uint32Array.from(values.keys());
    results.orders.set(key, rows.sort((a, b) => (signed[a] === signed[b] ? a - b : signed[a] - signed[b])));
  }
  return results.orders.get(key);
}

/** For each row the place of its level in the alphabet, where numbers in names count as numbers. */
function ranks({ levels, codes }) {
  const collator = new Intl.Collator("en", { numeric: true });
  const order = [...levels.keys()].sort((a, b) => collator.compare(levels[a] ?? "", levels[b] ?? ""));
  const places = new Float64Array(levels.length);
  order.forEach((level, place) => (places[level] = place));
  return Float64Array.from(codes, (code) => places[code]);
}
