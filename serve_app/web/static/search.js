// Searching all pages that were read: hits in their order, and where each stands in the picture.

/** Letters as they are compared: case and the dots of ё make no difference. */
export function folded(text) {
  const lower = text.toLowerCase().replaceAll("ё", "е");
  return lower.length === text.length ? lower : text; // A few letters grow when they are lowered.
}

/** Where `query` stands in a text, as `{start, end}`; an empty one stands nowhere. */
export function spansIn(text, query) {
  const [within, sought] = [folded(text), folded(query.trim())];
  const spans = [];
  for (let at = sought ? within.indexOf(sought) : -1; at >= 0; at = within.indexOf(sought, at + sought.length)) {
    spans.push({ start: at, end: at + sought.length });
  }
  return spans;
}

/** Hits on pages in order: `{entry, region, start, end}`. */
export function search(pages, query) {
  if (!query.trim()) return [];
  return pages.flatMap((entry, index) => (entry.result?.regions ?? []).flatMap((region, number) =>
    spansIn(region.text ?? "", query).map((span) => ({ entry: index, region: number, ...span }))));
}

/** The quads that a part of a region's text covers: a part of each word that it touches. */
export function quadsOf(region, { start, end }) {
  const quads = [];
  let at = 0;
  for (const { text, polygon } of region.words ?? []) {
    const from = region.text.indexOf(text, at);
    if (from < 0) continue;
    at = from + text.length;
    if (from < end && at > start) {
      const share = (place) => Math.min(Math.max((place - from) / text.length, 0), 1);
      quads.push(part(polygon, share(start), share(end)));
    }
  }
  return quads.length ? quads : [part(region.polygon, start / region.text.length, end / region.text.length)];
}

function part([topLeft, topRight, bottomRight, bottomLeft], from, to) {
  const between = (one, other, share) => [0, 1].map((axis) => one[axis] + (other[axis] - one[axis]) * share);
  return [
    between(topLeft, topRight, from), between(topLeft, topRight, to),
    between(bottomLeft, bottomRight, to), between(bottomLeft, bottomRight, from),
  ];
}
