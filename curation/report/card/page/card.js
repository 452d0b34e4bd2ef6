"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();

  // Charts: one specification, drawn in the colours of the page. Expressions are interpreted, not compiled, so
  // that the page needs no right to make code of words.
  async function draw(name, place, printing) {
    const options = {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
      config: data.themes[dark.matches && !printing ? "dark" : "light"],
    };
    try {
      const view = await window.vegaEmbed(place, structuredClone(data.charts[name]), options);
      drawn.get(name)?.finalize();
      drawn.set(name, view);
    } catch (error) {
      const words = document.createElement("p");
      words.textContent = "This chart could not be drawn; its numbers are below.";
      place.replaceChildren(words);
      place.nextElementSibling?.setAttribute("open", "");
    }
  }

  async function drawAll(printing) {
    for (const place of document.querySelectorAll("[data-chart]")) {
      await draw(place.dataset.chart, place, printing);
    }
    document.documentElement.dataset.drawn = printing ? "print" : dark.matches ? "dark" : "light";
  }

  // On paper there is nothing to unfold, and paper is white.
  let unfolded = [];
  window.addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details.print:not([open])")];
    unfolded.forEach((part) => part.setAttribute("open", ""));
    if (dark.matches) drawAll(true);
  });
  window.addEventListener("afterprint", () => {
    unfolded.forEach((part) => part.removeAttribute("open"));
    if (dark.matches) drawAll(false);
  });
  dark.addEventListener("change", () => drawAll(false));

  // The table of entries. Everything is put into the page as text, never as markup.
  function table(root) {
    const given = data.entries;
    const PAGE = 50;
    const rows = given.entry.map((entry, i) => ({
      rank: given.rank[i], entry, language: given.languages[given.language[i]],
      count: given.count[i], probability: given.probability[i], kept_count: given.kept_count[i],
      folded: entry.toLowerCase(),
    }));
    const body = root.querySelector("tbody");
    const search = root.querySelector("input");
    const languages = root.querySelector("select");
    const status = root.querySelector("[role=status]");
    const [previous, next] = root.querySelectorAll(".pager button");
    const heads = [...root.querySelectorAll("th[data-column]")];
    let shown = rows, page = 0, column = "rank", direction = 1;

    const words = {
      rank: (n) => n.toLocaleString("en"), count: (n) => n.toLocaleString("en"),
      kept_count: (n) => n.toLocaleString("en"), probability: (p) => (p >= 1 ? "1" : p.toPrecision(3)),
    };

    function cells(row) {
      const line = document.createElement("tr");
      for (const head of heads) {
        const name = head.dataset.column;
        const cell = document.createElement("td");
        cell.className = head.dataset.kind;
        if (head.dataset.kind === "web") cell.dir = "auto";
        cell.textContent = words[name] ? words[name](row[name]) : row[name];
        line.append(cell);
      }
      return line;
    }

    function show() {
      const first = page * PAGE, last = Math.min(first + PAGE, shown.length);
      body.replaceChildren(...shown.slice(first, last).map(cells));
      const found = shown.length === rows.length ? "" : ` found among ${rows.length.toLocaleString("en")}`;
      status.textContent = shown.length
        ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${shown.length.toLocaleString("en")} entries${found}`
        : `No entry found among the ${rows.length.toLocaleString("en")} of this table`;
      previous.disabled = first === 0;
      next.disabled = last >= shown.length;
    }

    function choose() {
      const wanted = search.value.trim().toLowerCase(), language = languages?.value ?? "";
      shown = rows.filter(
        (row) => row.folded.includes(wanted) && (language === "" || row.language === language));
      const order = (a, b) => {
        const [x, y] = [a[column], b[column]];
        const by = typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y;
        return direction * by || a.rank - b.rank;
      };
      shown.sort(order);
      page = 0;
      show();
    }

    for (const head of heads) {
      head.querySelector("button").addEventListener("click", () => {
        const numbers = !["entry", "language", "rank"].includes(head.dataset.column);
        direction = head.dataset.column === column ? -direction : numbers ? -1 : 1;
        column = head.dataset.column;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        choose();
      });
    }
    search.addEventListener("input", choose);
    languages?.addEventListener("change", choose);
    previous.addEventListener("click", () => { page -= 1; show(); });
    next.addEventListener("click", () => { page += 1; show(); });
    root.querySelectorAll("[hidden]").forEach((part) => { part.hidden = false; });
    show();
  }

  const root = document.getElementById("entry-table");
  if (root) table(root);
  drawAll(false);
})();
