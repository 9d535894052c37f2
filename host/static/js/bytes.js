// Counts the bytes of a text while it is typed, as the desk counts them.

const encoder = new TextEncoder();

/** Return how many bytes *text* takes once the desk has cleaned it: no blank edges, no NUL. */
export function byteLength(text) {
  return encoder.encode(text.replaceAll("\r\n", "\n").replaceAll("\r", "\n").replaceAll("\0", "").trim()).length;
}
