/**
 * What runs in the browser: search over names. The names come from a script of their own, as pages opened from the disk
 * may not fetch anything else.
 */
export const searchScript = `"use strict";
(() => {
  const input = document.getElementById("search");
  const list = document.getElementById("results");
  const MOST = 40;
  let names;
  let selected = -1;

  // Called by names.js: [title, path, [[name, kind, anchor?], ...]] a page.
  globalThis.virtioNames = (pages) => {
    names = pages.flatMap(([title, path, entries]) => [
      { title, text: title, folded: title.toLowerCase(), kind: "page", href: path },
      ...entries.map(([name, kind, anchor = name]) => ({
        title, text: name, folded: name.toLowerCase(), kind, href: path + "#" + encodeURIComponent(anchor),
      })),
    ]);
    show();
  };

  function load() {
    if (document.getElementById("names")) return;
    const script = document.createElement("script");
    script.id = "names";
    script.src = "names.js";
    document.head.append(script);
  }

  // Every word must occur; whole names first, then ends and beginnings of names, then short ones.
  function find(query) {
    const words = query.toLowerCase().split(/\\s+/).filter(Boolean);
    const last = words.at(-1);
    const rank = ({ folded, kind }) =>
      (folded === last ? 0 : folded.endsWith("_" + last) ? 1 : folded.endsWith("." + last) ? 2 : folded.startsWith(last) ? 2 : 3) +
      (kind === "field" ? 1.5 : 0) + folded.length / 1000;
    return names
      .filter(({ folded, title }) => words.every((word) => folded.includes(word) || title === word))
      .map((entry) => ({ entry, rank: rank(entry) }))
      .sort((a, b) => a.rank - b.rank);
  }

  function show() {
    selected = -1;
    const query = input.value.trim();
    list.hidden = query === "" || !names;
    if (list.hidden) return;
    const found = find(query);
    list.replaceChildren(...found.slice(0, MOST).map(({ entry }) => item(entry)));
    if (found.length === 0) list.append(note("nothing found"));
    if (found.length > MOST) list.append(note(found.length - MOST + " more"));
    select(0);
  }

  function item({ title, text, kind, href }) {
    const line = document.createElement("li");
    const link = document.createElement("a");
    const about = document.createElement("small");
    link.href = href;
    link.textContent = text;
    about.textContent = kind === "page" ? "page" : title + ", " + kind;
    link.append(about);
    line.append(link);
    return line;
  }

  function note(text) {
    const line = document.createElement("li");
    line.className = "more";
    line.textContent = text;
    return line;
  }

  function select(index) {
    const links = list.querySelectorAll("a");
    if (links.length === 0) return;
    links[selected]?.classList.remove("selected");
    selected = (index + links.length) % links.length;
    links[selected].classList.add("selected");
    links[selected].scrollIntoView({ block: "nearest" });
  }

  function close() {
    list.hidden = true;
    input.blur();
  }

  input.addEventListener("focus", load);
  input.addEventListener("input", () => { load(); show(); });
  input.addEventListener("focus", () => names && show());
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") select(selected + 1);
    else if (event.key === "ArrowUp") select(selected - 1);
    else if (event.key === "Enter") list.querySelectorAll("a")[selected]?.click();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
  document.addEventListener("click", (event) => { if (!event.target.closest(".finder")) list.hidden = true; });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
    event.preventDefault();
    input.focus();
    input.select();
  });

  // A link to a field opens the table that it is in, where the browser does not do so by itself.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const closed = target?.closest("details:not([open])");
    if (!closed) return;
    closed.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  reveal();
})();
`;
