// Refreshes what is shown while nobody is typing or reading something selected, and sorts tables. Without it the page is whole.
"use strict";
(() => {
  const every = 15000;

  async function refresh() {
    const busy = document.hidden || location.search || String(getSelection()) || document.activeElement?.matches("input, select");
    if (!busy) {
      try {
        const reply = await fetch(location.href, { cache: "no-store" });
        const next = new DOMParser().parseFromString(await reply.text(), "text/html");
        if (reply.ok && next.querySelector("main")) {
          keepFolds(next);
          for (const part of ["header", "main"]) document.querySelector(part).replaceWith(next.querySelector(part));
          document.title = next.title;
          makeSortable();
          document.body.classList.remove("lost");
        }
      } catch {
        document.body.classList.add("lost");
      }
    }
    setTimeout(refresh, every);
  }

  // What somebody opened or closed stays so.
  function keepFolds(next) {
    const name = (details) => details.querySelector("strong")?.textContent;
    const folds = new Map([...document.querySelectorAll("main details")].map((details) => [name(details), details.open]));
    for (const details of next.querySelectorAll("main details")) {
      if (folds.has(name(details))) details.open = folds.get(name(details));
    }
  }

  function sort(event) {
    const head = event.target.closest("table.nodes thead th");
    if (!head) return;
    event.preventDefault();
    const column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const text = (row) => row.children[column]?.textContent ?? "";
    const rows = [...body.rows].sort((a, b) => text(a).localeCompare(text(b), undefined, { numeric: true }));
    body.append(...(down ? rows : rows.reverse()));
  }

  // Headings of tables can be reached and pressed with the keyboard.
  function makeSortable() {
    for (const head of document.querySelectorAll("table.nodes thead th")) head.tabIndex = 0;
  }

  document.addEventListener("click", sort);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") sort(event);
  });
  makeSortable();
  setTimeout(refresh, every);
})();
