/** How the pages look: light or dark as the system says, and on narrow screens without the contents at the side. */
export const style = `:root {
  color-scheme: light dark;
  --back: #fdfdfb; --text: #1c2024; --faint: #646b73; --line: #d6d9dc; --link: #0b57b0; --mark: #fff3c4;
  --panel: #f1f3f4; --cell: #e6eef8; --edge: #6d7f93; --gated: #f4ecfa; --gated-edge: #8a5fb0; --reserved: #f0f0ef;
  --volatile: #b3540a; --writable: #0f7a45;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #15181b; --text: #e2e5e8; --faint: #98a1aa; --line: #343a40; --link: #7db7ff; --mark: #4a3f14;
    --panel: #1e2226; --cell: #1f2e40; --edge: #7c8fa5; --gated: #2c2338; --gated-edge: #b08fd3; --reserved: #202325;
    --volatile: #f0a35c; --writable: #5fce94;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 4rem; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
a.self { color: inherit; }
code, kbd { font-family: var(--mono); font-size: 0.875em; }
kbd { border: 1px solid var(--line); border-radius: 3px; padding: 0 0.35em; }
.bar { position: sticky; top: 0; z-index: 2; display: flex; gap: 1rem; align-items: center; padding: 0.5rem 1rem; background: var(--panel); border-bottom: 1px solid var(--line); }
.home { font-weight: 600; white-space: nowrap; }
.finder { position: relative; flex: 1; max-width: 32rem; margin-left: auto; }
#search { width: 100%; padding: 0.35rem 0.6rem; font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 6px; }
#results { position: absolute; right: 0; left: 0; max-height: 70vh; overflow: auto; margin: 0.25rem 0 0; padding: 0.25rem; list-style: none; background: var(--back); border: 1px solid var(--line); border-radius: 6px; box-shadow: 0 6px 20px #0004; }
#results a { display: block; padding: 0.2rem 0.5rem; border-radius: 4px; font: 0.85rem/1.4 var(--mono); }
#results small { display: block; color: var(--faint); font-family: system-ui, sans-serif; }
#results a.selected { background: var(--panel); }
#results .more { padding: 0.2rem 0.5rem; color: var(--faint); }
.page { display: flex; justify-content: center; gap: 2rem; padding: 0 1rem; }
main { flex: 1; min-width: 0; max-width: 72rem; padding-bottom: 4rem; }
.contents { flex: none; position: sticky; top: 3.5rem; align-self: flex-start; width: 15rem; max-height: calc(100vh - 4rem); overflow: auto; padding: 1rem 0; font-size: 0.9rem; }
.contents ul { margin: 0; padding: 0; list-style: none; }
.contents ul ul { padding: 0 0 0.4rem 0.75rem; font-size: 0.8rem; }
footer { padding: 1rem; color: var(--faint); font-size: 0.85rem; text-align: center; }
h1 { margin: 1.5rem 0 0.5rem; }
h2 { margin: 2.5rem 0 0.75rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2rem 0 0.5rem; font-size: 1.1rem; }
h4 { margin: 1.75rem 0 0.5rem; font-size: 1rem; }
h3 small { color: var(--faint); font-weight: normal; }
p { margin: 0.5rem 0; max-width: 46rem; }
.facts { font-size: 0.85rem; font-weight: normal; color: var(--faint); }
.notes, .spec-name { color: var(--faint); }
.notes { font-size: 0.9em; }
ul.notes { margin: 0.5rem 0; padding-left: 1.2rem; }
.narrow { display: none; }
.spec { white-space: nowrap; font-size: 0.85em; }
.badge { display: inline-block; margin-right: 0.3em; padding: 0 0.45em; border: 1px solid var(--line); border-radius: 1em; color: var(--faint); font-size: 0.75rem; font-weight: normal; line-height: 1.5; white-space: nowrap; }
.badge.volatile { color: var(--volatile); border-color: currentColor; }
.badge.writable { color: var(--writable); border-color: currentColor; }
.index td { white-space: nowrap; }
.index td:nth-child(2) { white-space: normal; }
.index td:nth-child(3) { min-width: 16rem; white-space: normal; }
.listings { margin: 0.25rem 0; }
.scroll { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--faint); font-weight: 600; white-space: nowrap; }
td:last-child { min-width: 14rem; }
.index td:last-child { min-width: 0; }
td code { white-space: nowrap; }
td code.formula, td:last-child code, td .notes code { white-space: normal; }
td:last-child code, td .notes code { overflow-wrap: anywhere; }
td wbr { white-space: normal; }
tr { scroll-margin-top: 4rem; }
:target { background: var(--mark); }
figure { margin: 0.75rem 0; }
figcaption, .stream { margin: 0 0 0.25rem; font-size: 0.85rem; font-weight: 600; color: var(--faint); }
.streams { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 1.5rem; align-items: start; }
summary { cursor: pointer; color: var(--link); font-size: 0.9rem; }
.map { display: block; width: 100%; max-width: 35rem; height: auto; font-family: var(--mono); }
.map text { fill: var(--text); text-anchor: middle; }
.map .head, .map .offset, .map .gap, .map .note { fill: var(--faint); font-size: 10px; }
.map .offset { font-size: 11px; text-anchor: end; }
.map .gap { font-size: 11px; }
.map a { text-decoration: none; }
.cell rect { fill: var(--cell); }
.cell path { fill: none; stroke: var(--edge); }
.cell.gated rect { fill: var(--gated); }
.cell.gated path { stroke: var(--gated-edge); stroke-dasharray: 4 3; }
.cell.reserved rect { fill: var(--reserved); }
.cell.reserved text { fill: var(--faint); }
.map .volatile text:not(.note) { fill: var(--volatile); }
.map .writable text:not(.note) { fill: var(--writable); }
.cell:hover rect, .cell:focus rect { fill: var(--mark); }
.legend { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; font-size: 0.85rem; }
.key { padding: 0 0.5rem; border: 1px solid var(--edge); background: var(--cell); }
.key.gated { border: 1px dashed var(--gated-edge); background: var(--gated); }
.key.volatile { color: var(--volatile); }
.key.writable { color: var(--writable); }
.key.reserved { color: var(--faint); background: var(--reserved); }
@media (max-width: 60rem) {
  .page { display: block; }
  .contents { position: static; width: auto; max-height: none; padding: 0.75rem 0 0; }
  .contents ul { display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; }
  .contents ul ul { display: none; }
}
@media (max-width: 54rem) {
  .page table { display: block; }
  .page thead { display: none; }
  .narrow { display: inline; }
  .page tbody { display: block; }
  .page tr { display: flex; flex-wrap: wrap; gap: 0 0.75rem; padding: 0.4rem 0; border-bottom: 1px solid var(--line); }
  .page td { min-width: 0; padding: 0; border: 0; }
  .page td:empty { display: none; }
  .page td:last-child { flex-basis: 100%; }
  td code { white-space: normal; overflow-wrap: anywhere; }
  .index tr { gap: 0 1.25rem; }
  .index td:nth-child(3) { flex-basis: 100%; }
  .index td:nth-child(n + 6) { display: none; }
}
@media print {
  .bar, .contents { display: none; }
}
`;
