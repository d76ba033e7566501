"use strict";

/* Headings of sortable tables become buttons; the index filters its formats. */

/** What a cell is sorted by: a number if it is one. */
function keyOf(cell) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text.replace("inf", "Infinity"));
  return text === "" || Number.isNaN(number) ? text : number;
}

/** Numbers first, in their order, then text; what is equal stays as it was. */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a.localeCompare(b, "en", { numeric: true });
}

function sortBy(table, column, heading) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column]) }));
  rows.sort((a, b) => direction * compare(a.key, b.key));
  body.append(...rows.map(({ row }) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, column, heading));
    heading.append(button);
  });
}

/** Show the formats that have every word, and are of the family and the width. */
function filter(form) {
  const { text, family, bits } = form.elements;
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.querySelectorAll(".formats tbody tr")];
  let shown = 0;
  for (const row of rows) {
    const has = row.textContent.toLowerCase();
    const fits = words.every((word) => has.includes(word)) &&
      (family.value === "" || row.dataset.family === family.value) &&
      (bits.value === "" || row.dataset.bits === bits.value);
    row.hidden = !fits;
    shown += fits;
  }
  form.querySelector("output").textContent = shown === 0
    ? "No format passes this filter." : `${shown} of ${rows.length} formats`;
}

const form = document.getElementById("filter");
if (form) {
  form.hidden = false;
  form.addEventListener("input", () => filter(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter(form);
}
