/** Railroad diagrams of grammar rules as SVG. */

/** A rule of the grammar as a reader sees it. */
export type Piece =
  | { readonly kind: "word" | "token" | "rule"; readonly text: string }
  | { readonly kind: "sequence" | "choice"; readonly items: readonly Piece[] }
  | { readonly kind: "optional"; readonly item: Piece }
  | { readonly kind: "repeat"; readonly item: Piece; readonly separator: Piece | null; readonly least: 0 | 1 };

/** Something drawn on a track that comes in at the left and goes out at the right, at the same height. */
interface Drawing {
  readonly width: number;
  readonly above: number;
  readonly below: number;
  draw(x: number, y: number): string;
}

const letter = 7.9;
const half = 12;
const gap = 10;
const radius = 8;
const between = 8;
const widest = 800;

const track = (path: string): string => `<path d="${path}"/>`;

function box(text: string, kind: "word" | "token" | "rule"): Drawing {
  const width = Math.ceil(text.length * letter) + 18;
  const shown = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const corner = kind === "rule" ? 2 : half;
  const draw = (x: number, y: number): string =>
    `<rect class="${kind}" x="${x}" y="${y - half}" width="${width}" height="${2 * half}" rx="${corner}"/>` +
    `<text class="${kind}" x="${x + width / 2}" y="${y + 4.5}">${shown}</text>`;
  return { width, above: half, below: half, draw };
}

function row(items: readonly Drawing[]): Drawing {
  const width = items.reduce((sum, item) => sum + item.width, 0) + gap * Math.max(0, items.length - 1);
  const draw = (x: number, y: number): string => {
    let at = x;
    return items
      .map((item, index) => {
        const joint = index === 0 ? "" : track(`M${at} ${y}h${gap}`);
        if (index > 0) at += gap;
        const text = joint + item.draw(at, y);
        at += item.width;
        return text;
      })
      .join("");
  };
  const most = (side: "above" | "below"): number => items.reduce((high, item) => Math.max(high, item[side]), 0);
  return { width, above: most("above"), below: most("below"), draw };
}

const nothing: Drawing = { width: 0, above: 0, below: 0, draw: () => "" };

/** One of several: the first on the track, the others below it. */
function choiceOf(items: readonly Drawing[]): Drawing {
  const inner = Math.max(...items.map((item) => item.width));
  const side = 2 * radius;
  const width = inner + 2 * side;
  const offsets: number[] = [];
  let depth = 0;
  items.forEach((item, index) => {
    if (index > 0) depth += Math.max(item.above + between, 2 * radius - (index === 1 ? 0 : radius));
    offsets.push(depth);
    depth += item.below;
  });
  const draw = (x: number, y: number): string =>
    items
      .map((item, index) => {
        const down = offsets[index] ?? 0;
        const rest = inner - item.width + side;
        if (down === 0) {
          return track(`M${x} ${y}h${side}`) + item.draw(x + side, y) + track(`M${x + side + item.width} ${y}h${rest}`);
        }
        const r = radius;
        const enter = `M${x} ${y}a${r} ${r} 0 0 1 ${r} ${r}v${down - 2 * r}a${r} ${r} 0 0 0 ${r} ${r}`;
        const leave = `M${x + side + item.width} ${y + down}h${inner - item.width}a${r} ${r} 0 0 0 ${r} ${-r}v${2 * r - down}a${r} ${r} 0 0 1 ${r} ${-r}`;
        return track(enter) + item.draw(x + side, y + down) + track(leave);
      })
      .join("");
  return { width, above: items[0]?.above ?? 0, below: depth, draw };
}

/** Once or more; the way back is below. */
function loopOf(item: Drawing, back: Drawing): Drawing {
  const inner = Math.max(item.width, back.width);
  const side = 2 * radius;
  const width = inner + 2 * side;
  const down = item.below + Math.max(back.above + between, radius);
  const draw = (x: number, y: number): string => {
    const r = radius;
    const left = x + side + (inner - item.width) / 2;
    const under = x + side + (inner - back.width) / 2;
    const right = x + width - r;
    return (
      track(`M${x} ${y}H${left}`) +
      item.draw(left, y) +
      track(`M${left + item.width} ${y}H${x + width}`) +
      track(
        `M${right - r} ${y}a${r} ${r} 0 0 1 ${r} ${r}v${down - 2 * r}a${r} ${r} 0 0 1 ${-r} ${r}H${under + back.width}`,
      ) +
      back.draw(under, y + down) +
      track(`M${under} ${y + down}H${x + side}a${r} ${r} 0 0 1 ${-r} ${-r}v${2 * r - down}a${r} ${r} 0 0 1 ${r} ${-r}`)
    );
  };
  return { width, above: item.above, below: Math.max(item.below, down + back.below), draw };
}

function drawing(piece: Piece): Drawing {
  switch (piece.kind) {
    case "word":
    case "token":
    case "rule":
      return box(piece.text, piece.kind);
    case "sequence":
      return row(piece.items.map(drawing));
    case "choice":
      return choiceOf(piece.items.map(drawing));
    case "optional":
      return choiceOf([nothing, drawing(piece.item)]);
    case "repeat": {
      const loop = loopOf(drawing(piece.item), piece.separator === null ? nothing : drawing(piece.separator));
      return piece.least === 0 ? choiceOf([nothing, loop]) : loop;
    }
  }
}

/** The rows that a rule is drawn in: one, unless it is too wide. */
function rowsOf(piece: Piece): readonly Drawing[] {
  const items = (piece.kind === "sequence" ? piece.items : [piece]).map(drawing);
  const rows: Drawing[][] = [[]];
  for (const item of items) {
    const last = rows.at(-1) ?? [];
    if (last.length > 0 && row([...last, item]).width > widest) rows.push([item]);
    else last.push(item);
  }
  return rows.map(row);
}

// Colours that can be read on a white page and on a dark one.
const style =
  "path{fill:none;stroke:#7d8590;stroke-width:1.5}rect{stroke:#7d8590;fill:#f0f2f5}rect.rule{fill:#dbe3ee}rect.token{fill:#e8e2f0}" +
  "text{font:13px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle;fill:#1f2328}text.word{font-weight:600}text.token{font-style:italic}";

/** A diagram of a rule, with a title for those who cannot see it. */
export function svg(name: string, piece: Piece): string {
  const rows = rowsOf(piece);
  const margin = 14;
  const wrapped = rows.length > 1;
  const inner = Math.max(...rows.map((each) => each.width));
  const left = margin + (wrapped ? 20 : 14);
  const width = Math.ceil(left + inner + (wrapped ? 20 : 14) + margin);
  let y = margin;
  let body = "";
  rows.forEach((each, index) => {
    y += Math.max(each.above, half);
    const isLast = index === rows.length - 1;
    body += index === 0 ? track(`M${margin} ${y - 7}v14M${margin} ${y}H${left}`) : "";
    body += each.draw(left, y);
    const end = left + each.width;
    if (isLast) body += track(`M${end} ${y}H${end + 14}M${end + 14} ${y - 7}v14`);
    else {
      const next = rows[index + 1];
      const bottom = y + each.below + 10;
      const below = bottom + 10 + Math.max(next?.above ?? 0, half);
      body += track(`M${end} ${y}h10V${bottom}H${left - 10}V${below}h10`);
      y = bottom + 10;
    }
    if (isLast) y += Math.max(each.below, half);
  });
  const height = Math.ceil(y + margin);
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img"><title>${name}</title><style>${style}</style>${body}</svg>\n`;
}
