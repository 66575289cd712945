"use strict";
// Adds to each table a filter and headers that sort; without this the page shows the same rows.
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const text = (cell) => cell.textContent;
const compare = {
  number: (a, b) => Number(a.dataset.v) - Number(b.dataset.v),
  badge: (a, b) => Number(a.dataset.v) - Number(b.dataset.v),
};

function sorter(section, body, heads) {
  const original = [...body.rows];
  return (column) => {
    const head = heads[column];
    const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] || "ascending";
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    if (next === "none") return body.append(...original);
    head.setAttribute("aria-sort", next);
    const by = compare[head.dataset.look] || ((a, b) => collator.compare(text(a), text(b)));
    const sign = next === "ascending" ? 1 : -1;
    const isNull = (cell) => cell.classList.contains("null");
    const rows = [...original].sort((left, right) => {
      const [a, b] = [left.cells[column], right.cells[column]];
      return isNull(a) || isNull(b) ? isNull(a) - isNull(b) : sign * by(a, b);
    });
    body.append(...rows);
  };
}

function filter(section, body, name) {
  const rows = [...body.rows].map((row) => [row, [...row.cells].map(text).join("\n").toLowerCase()]);
  const box = document.createElement("div");
  const input = document.createElement("input");
  const said = document.createElement("span");
  box.className = "filter";
  input.type = "search";
  input.placeholder = "Filter rows…";
  input.setAttribute("aria-label", `Filter ${name}`);
  said.setAttribute("role", "status");
  box.append(input, said);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, content] of rows) {
      row.hidden = !words.every((word) => content.includes(word));
      shown += !row.hidden;
    }
    said.textContent = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown rows match` : "";
  });
  section.querySelector("header").append(box);
}

for (const section of document.querySelectorAll("section.table")) {
  const body = section.querySelector("tbody");
  if (!body || body.rows.length < 2) continue;
  const heads = [...section.querySelectorAll("thead th")];
  const sort = sorter(section, body, heads);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  });
  filter(section, body, section.querySelector("h2").textContent);
}
