/* What is said of a point: in a tip beside it, on a card, and beside another one. */

/** What switches units where no tensors do. */
const NORMAL = "normal";

/** A figure with what most units stay within. */
function withError(results, metric, row) {
  const value = figure(results.at(metric.name, row));
  const errors = results.content.levels.map((level) => errorOf(results, metric, level, row));
  return errors.includes(null) ? value : `${value} ± ${errors.map(figure).join(" / ")} %`;
}

function standing(view, row) {
  if (!view.shown[row]) return "hidden by the filters";
  if (view.results.at("method", row) === "published") return "published, compared with nothing";
  if (view.optimalSet.has(row)) return "Pareto-optimal in all objectives";
  if (!view.within) return "behind the front";
  if (view.withinSet.has(row)) return "behind the front by no more than errors allow: it may be on it";
  return "behind the front by more than errors allow";
}

function tipOf(view, row) {
  const { results, state } = view;
  const metrics = [...new Set([state.x, state.y, ...results.content.objectives])];
  const line = (name) => {
    const metric = results.metrics.get(name);
    return make("tr", {}, make("th", {}, metric.label), make("td", {}, withError(results, metric, row)));
  };
  return [
    make("strong", {}, String(results.at("label", row))),
    make("p", { className: "quiet" }, `${kindOf(results, row)} · ${results.at("method", row)} · ${results.target(row).name}`),
    make("table", {}, ...metrics.filter((name) => results.at(name, row) !== null).map(line)),
    make("p", { className: "quiet" }, standing(view, row)),
  ];
}

function kindOf(results, row) {
  return results.at("accelerator", row) ?? results.at("family", row);
}

function detailsOf(view, { onClose, onPick }) {
  const { state } = view;
  if (state.points.length === 0) return [hint()];
  const cards = state.points.map((row, place) => card(view, row, place, onClose));
  const both = state.points.length === 2 ? [comparison(view)] : [];
  const more = state.points.length === 1 ? [pairing(view, onPick)] : [];
  return [...both, make("div", { className: "cards" }, ...cards, ...more)];
}

function hint() {
  const text = "Choose a point in the chart or the table: its configuration, costs and commands appear here.";
  return make("p", { className: "quiet hint" }, text);
}

function card(view, row, place, onClose) {
  const { results } = view;
  const close = make("button", { type: "button", className: "plain", ariaLabel: "Close" }, "×");
  close.addEventListener("click", () => onClose(row));
  return make(
    "article",
    { className: "card" },
    make("header", {}, make("span", { className: "badge" }, "AB"[place]), make("h3", {}, String(results.at("label", row))), close),
    make("p", { className: "quiet" }, `${standing(view, row)} · ${results.target(row).name}`),
    ...datapath(results, row),
    ...bars(results, row),
    make("h4", {}, "Figures"),
    figures(results, row),
    ...commands(results, row),
    rest(results, row),
  );
}

/** The data path in words: what the family is, what the unit takes, and what it was made with. */
function datapath(results, row) {
  const family = results.content.families[results.at("family", row)];
  if (results.at("method", row) === "published") {
    return ["source", "note"].map((name) => make("p", {}, String(results.at(name, row))));
  }
  const own = parametersOf(results, row).filter(([, value]) => value !== "None");
  const meaning = (key) => (family?.parameters[key] ?? "").split(/(?<=\.) /)[0];
  return [
    make("h4", {}, "Data path"),
    make("p", {}, family ? family.summary : String(results.at("family", row))),
    make("p", {}, sentence(results, row)),
    make("dl", {}, ...own.flatMap(([key, value]) => [
      make("dt", {}, `${key} = ${value}`), make("dd", {}, meaning(key)),
    ])),
  ];
}

function sentence(results, row) {
  const at = (name) => results.at(name, row);
  const parts = [
    `${at("lanes")} lanes multiply ${at("activation")} activations by ${at("weight")} weights and add up: ` +
      `${figure(at("macs_per_cycle"))} MACs per cycle.`,
  ];
  if (at("exact_arithmetic") === true) parts.push("Sums are exact until the end.");
  if (at("exact_arithmetic") === false) parts.push("Products or sums are rounded or approximate.");
  if (at("weight_quantiser")) {
    parts.push(`Weights are quantised as ${at("weight_quantiser")}, activations as ${at("activation_quantiser")}.`);
  }
  if (at("operands")) parts.push(`Energies are of ${operandsOf(results, row)}.`);
  if (at("rows")) parts.push(`An array of ${at("rows")} × ${at("cols")} of them, ${at("dataflow")}.`);
  if (at("verilog")) parts.push(`Its hardware is ${at("verilog")}.`);
  return parts.join(" ");
}

/** Whose operands switch the unit: a kind, or rows of weights with the activations that meet them. */
function operandsOf(results, row) {
  const [operands, match, group] = ["operands", "match", "group"].map((name) => results.at(name, row));
  if (operands === NORMAL) return `${operands} operands`;
  const chosen = match === "*" ? "" : ` that match ${match}`;
  return `the weights of ${operands}${chosen}, in groups of ${group} where their format has none, and their activations`;
}

/** Parameters of the family's own; values may have spaces. */
function parametersOf(results, row) {
  const text = results.at("parameters", row) ?? "";
  return text.split(/ (?=[a-z_.]+=)/).filter(Boolean).map((pair) => {
    const equals = pair.indexOf("=");
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
}

/** What costs are the sums of. */
function bars(results, row) {
  return results.content.parts.flatMap(({ metric, columns }) => {
    const parts = Object.entries(columns)
      .map(([column, name]) => ({ name, value: results.at(column, row) }))
      .filter(({ value }) => value !== null && value > 0)
      .sort((a, b) => b.value - a.value);
    if (parts.length === 0) return [];
    const total = parts.reduce((sum, { value }) => sum + value, 0);
    return [make("h4", {}, `Parts of ${results.metrics.get(metric).label}`), barList(parts, total)];
  });
}

function barList(parts, total) {
  return make("ul", { className: "bars" }, ...parts.map(({ name, value }) => {
    const bar = make("span", { className: "bar" });
    bar.style.width = `${(100 * value) / total}%`;
    return make("li", {}, make("span", {}, name), make("span", { className: "track" }, bar),
      make("span", { className: "number" }, `${figure(value)} · ${Math.round((100 * value) / total)} %`));
  }));
}

/** All metrics of a point, and a mark where its errors reach. */
function figures(results, row) {
  const known = [...results.metrics.values()].filter(({ name }) => results.at(name, row) !== null);
  return make("table", { className: "figures" }, make("tbody", {}, ...known.map((metric) =>
    make("tr", {}, make("th", { scope: "row" }, metric.label), make("td", { className: "number" }, figure(results.at(metric.name, row))),
      make("td", {}, errorBand(results, metric, row))),
  )));
}

/** The band as text and as a strip: the inner part has 68 % of units, the outer one 95 %. */
function errorBand(results, metric, row) {
  const errors = results.content.levels.map((level) => errorOf(results, metric, level, row));
  if (errors.includes(null)) return null;
  const strip = make("span", { className: "strip", ariaHidden: "true" });
  for (const percent of [...errors].reverse()) {
    const part = make("span");
    part.style.width = `${Math.min(percent, 50) * 2}%`;
    strip.append(part);
  }
  return make("span", { className: "band", title: `${results.content.levels.join(" / ")} % of units stay within` },
    strip, ` ± ${errors.map(figure).join(" / ")} %`);
}

/** The commands that make the Verilog of a unit, verify and cost it. */
function commands(results, row) {
  if (results.at("method", row) === "published") return [];
  const unit = unitWords(results, row);
  const lines = [`hwsim verify ${unit}`, `hwsim cost ${unit}${goalWords(results, row)}`];
  if (results.at("verilog", row)) {
    lines.splice(0, 1, `hwsim verify ${unit} --verilog FILE...`);
  } else {
    lines.unshift(`hwsim generate ${unit} -o verilog`, "(cd verilog && iverilog -g2012 *.v && vvp a.out)");
  }
  return [make("h4", {}, "Verilog, verification, cost"), ...lines.map(commandLine)];
}

function unitWords(results, row) {
  const at = (name) => results.at(name, row);
  const common = ["lanes", "weight", "activation"].map((name) => [name, at(name)]);
  const pairs = [...common, ...parametersOf(results, row)].filter(([, value]) => value !== "None" && value !== null);
  return [at("family"), ...pairs.map(([key, value]) => quoted(`${key}=${value}`))].join(" ");
}

function goalWords(results, row) {
  const at = (name) => results.at(name, row);
  const words = [` --technology ${quoted(at("technology"))}`];
  if (at("clock_ns") !== null) words.push(`--clock ${at("clock_ns")}`);
  else if (at("objective") === "density") words.push("--objective density");
  if (at("method") === "synthesis") words.push("--method synthesis");
  if (at("clock_gating")) words.push("--clock-gating");
  if ((at("operands") ?? NORMAL) !== NORMAL) {
    words.push(`--operands ${quoted(at("operands"))} --match ${quoted(at("match"))} --group ${at("group")}`);
  }
  return words.join(" ");
}

/** A word as a shell takes it. */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

function commandLine(text) {
  const copy = make("button", { type: "button", className: "plain", ariaLabel: "Copy" }, "Copy");
  const code = make("code", { tabIndex: 0 }, text);
  copy.addEventListener("click", () => copyText(text, copy, code));
  return make("div", { className: "command" }, code, copy);
}

/** Copy text; where the browser does not let a file do so, select it for the reader. */
function copyText(text, button, code) {
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  const select = () => {
    getSelection().selectAllChildren(code);
    say("Selected");
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => say("Copied"), select);
  else select();
}

/** Everything else that the results have of a point. */
function rest(results, row) {
  const errors = new Set([...results.metrics.values()].flatMap(({ errors: of }) => Object.values(of)));
  const names = results.names.filter((name) => {
    const value = results.at(name, row);
    return value !== null && value !== "" && !results.metrics.has(name) && !errors.has(name) && name !== "target";
  });
  const lines = names.map((name) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, figure(results.at(name, row)))));
  return make("details", {}, make("summary", {}, "All columns"), make("table", { className: "figures" }, make("tbody", {}, ...lines)));
}

/** An invitation to choose a second point. */
function pairing(view, onPick) {
  const near = view.optimal.find((row) => row !== view.state.points[0]);
  const text = "Click a second point, or press C in the chart, to see both side by side.";
  const button = near === undefined ? null : make("button", { type: "button" }, "Compare with one on the front");
  button?.addEventListener("click", () => onPick(near));
  return make("div", { className: "card pairing" }, make("p", { className: "quiet" }, text), button);
}

/** Two points side by side: figures, their ratio, and whether errors can tell them apart. */
function comparison(view) {
  const { results, state } = view;
  const [a, b] = state.points;
  const comparable = results.at("target", a) === results.at("target", b);
  const known = [...results.metrics.values()].filter(
    ({ name }) => results.at(name, a) !== null && results.at(name, b) !== null,
  );
  const head = ["", `A  ${results.at("label", a)}`, `B  ${results.at("label", b)}`, "A to B", "Told apart?"];
  const lines = known.map((metric) => comparisonLine(results, metric, a, b, comparable));
  const note = comparable ? null : make("p", { className: "notice" },
    "A and B differ in technology, clock, method or tensors: their ratios are no measure of either.");
  return make("article", { className: "card wide" }, make("h3", {}, "A and B"), note,
    make("div", { className: "scroll" }, make("table", { className: "figures" },
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...lines))));
}

function comparisonLine(results, metric, a, b, comparable) {
  const [first, second] = [a, b].map((row) => results.at(metric.name, row));
  const ratio = metric.ratio || metric.log;
  const difference = ratio ? `${figure(first / second)} ×` : figure(first - second);
  const cells = [figure(first), figure(second), difference].map((text) => make("td", { className: "number" }, text));
  const verdict = comparable ? toldApart(results, metric, a, b) : "not comparable";
  return make("tr", {}, make("th", { scope: "row" }, metric.label), ...cells, make("td", {}, verdict));
}

/** Whether the difference of two points is more than its error. */
function toldApart(results, metric, a, b) {
  const [first, second] = [a, b].map((row) => results.at(metric.name, row));
  if (first === second) return "equal";
  const errors = results.band(metric.name);
  const error = Math.sqrt(errors[a] ** 2 + errors[b] ** 2);
  if (error === 0) return "no error known";
  const difference = Math.abs(metric.ratio ? Math.log(first / second) : first - second);
  const better = (first > second) === metric.maximise ? "A" : "B";
  return difference > error ? `yes, ${better} is better` : "no: within the error of their difference";
}
