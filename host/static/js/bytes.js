// Counts the length of a text while it is typed, as the desk counts it.

const encoder = new TextEncoder();

/** Return how long *text* is in *unit* once the desk has cleaned it: no blank edges, no NUL. */
export function textLength(text, unit) {
  const kept = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n").replaceAll("\0", "").trim();
  if (unit === "utf16") return kept.length;
  return unit === "characters" ? [...kept].length : encoder.encode(kept).length;
}
