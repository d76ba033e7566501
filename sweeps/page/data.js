/* The results: columns as sweeps/page/columns.py wrote them, decoded when first asked for. */

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const CODES = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };

/** A column: `at(i)` is the value of a row, null where there is none. */
class Column {
  constructor(encoded, count) {
    this.count = count;
    if ("all" in encoded) {
      this.levels = [encoded.all];
      this.codes = new Uint8Array(count);
    } else if ("levels" in encoded) {
      this.levels = encoded.levels;
      this.codes = new CODES[encoded.bytes](bytesOf(encoded.codes).buffer);
    } else if ("numbers" in encoded) {
      this.values = new Float64Array(bytesOf(encoded.numbers).buffer);
    } else {
      this.text = encoded.text;
    }
  }

  at(row) {
    if (this.levels) return this.levels[this.codes[row]];
    if (this.text) return this.text[row];
    const value = this.values[row];
    return Number.isNaN(value) ? null : value;
  }

  /** All values as numbers, NaN where there is none. */
  get numbers() {
    if (!this.values) {
      const levels = Float64Array.from(this.levels, (level) => (level === null ? NaN : level));
      this.values = Float64Array.from(this.codes, (code) => levels[code]);
    }
    return this.values;
  }

  /** The column as levels and codes, made if there are none. */
  get coded() {
    if (!this.levels) {
      const places = new Map();
      const values = this.text || Array.from(this.values, (value) => (value === value ? value : null));
      this.codes = Uint32Array.from(values, (value) => {
        if (!places.has(value)) places.set(value, places.size);
        return places.get(value);
      });
      this.levels = [...places.keys()];
    }
    return { levels: this.levels, codes: this.codes };
  }
}

/** All points, with their metrics. */
class Results {
  constructor(content) {
    this.content = content;
    this.count = content.count;
    this.names = Object.keys(content.columns);
    this.metrics = new Map(content.metrics.map((metric) => [metric.name, metric]));
    this.columns = new Map();
  }

  has(name) {
    return name in this.content.columns;
  }

  column(name) {
    return this.decoded(name, this.content.columns[name]);
  }

  /** Each point's part in the error of a difference: of logarithms, where the metric is a ratio's. */
  band(metric) {
    return this.decoded(`band of ${metric}`, this.metrics.get(metric).band).numbers;
  }

  decoded(name, encoded) {
    if (!this.columns.has(name)) this.columns.set(name, new Column(encoded, this.count));
    return this.columns.get(name);
  }

  at(name, row) {
    return this.has(name) ? this.column(name).at(row) : null;
  }

  target(row) {
    return this.content.targets[this.at("target", row)];
  }
}

/** Four significant digits, as few characters as they take. */
function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value).replace("-", "−");
  const short = Number(value.toPrecision(4));
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? short.toExponential() : String(short);
  return text.replace(/e(.*)/, (_, power) => `×10${raised(power)}`).replaceAll("-", "−");
}

/** A power of ten as superscript. */
function raised(power) {
  return [...power.replace("+", "")].map((char) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(char)] ?? "⁻").join("");
}

/** An element; strings become text, never markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const byId = (id) => document.getElementById(id);
