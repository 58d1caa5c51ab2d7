"use strict";
(() => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];

  // Tables that sort: a button in each head; once more turns the order around.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v ?? cell.textContent.trim();
  };
  for (const table of all("table.sorts")) {
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const numbers = head.classList.contains("n");
      button.addEventListener("click", () => {
        const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [value(row, column), row]);
        rows.sort(([a], [b]) => turn * (numbers ? (a || -1) - (b || -1) : a < b ? -1 : a > b ? 1 : 0));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  // Tables that filter: a row stays when it holds every word.
  for (const tools of all(".tools")) {
    const rows = [...document.getElementById(tools.dataset.for).tBodies[0].rows];
    const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
    const told = tools.querySelector("output");
    const filter = (words) => {
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      told.textContent = `${shown} of ${rows.length} shown`;
    };
    tools.querySelector("input").addEventListener("input", (event) => {
      filter(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
    });
    filter([]);
    tools.hidden = false;
  }

  // What a day of a calendar holds: pointed at, touched, or reached by the arrow keys from one tab stop a series.
  const tip = document.getElementById("tip");
  const hide = () => { tip.hidden = true; };
  const tell = (cell) => {
    tip.textContent = cell.dataset.told;
    tip.hidden = false;
    const at = cell.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    tip.style.left = `${Math.max(8, Math.min(at.left, width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${at.top > tip.offsetHeight + 8 ? at.top - tip.offsetHeight - 6 : at.bottom + 6}px`;
  };
  for (const months of all(".months")) {
    const cells = all("td[title]", months);
    cells.forEach((cell, index) => {
      // Its own tooltip would come beside ours, and none comes for a touch or a key.
      cell.dataset.told = cell.title;
      cell.setAttribute("aria-label", cell.title);
      cell.removeAttribute("title");
      cell.tabIndex = index ? -1 : 0;
    });
    const of = (event) => event.target.closest("[data-told]");
    months.addEventListener("pointerover", (event) => (of(event) ? tell(of(event)) : hide()));
    months.addEventListener("pointerleave", hide);
    months.addEventListener("focusin", (event) => of(event) && tell(of(event)));
    months.addEventListener("focusout", hide);
    months.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") hide();
      if (step === undefined) return;
      event.preventDefault();
      const from = cells.indexOf(of(event));
      const to = Math.max(0, Math.min(cells.length - 1, from + step));
      cells[from].tabIndex = -1;
      cells[to].tabIndex = 0;
      cells[to].focus();
    });
  }
  addEventListener("scroll", hide, { passive: true });

  // Both charts tell the sample that is pointed at.
  const samples = all("#samples tbody tr");
  const read = document.querySelector(".read");
  for (const chart of all(".chart svg")) {
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 1000;
      const row = samples.find((sample) => Number(sample.dataset.x) >= x) ?? samples[samples.length - 1];
      const [time, rate, bytes, files, way, paused] = [...row.cells].map((cell) => cell.textContent.trim());
      read.textContent = `after ${time}: ${rate}, ${way} under way, ${bytes} and ${files} files so far`
        + (paused === "0" ? "" : `, ${paused} left alone`);
      read.hidden = false;
      for (const line of all(".chart .at")) {
        line.setAttribute("x1", row.dataset.x);
        line.setAttribute("x2", row.dataset.x);
      }
    });
  }
})();
