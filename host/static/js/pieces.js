// Pieces of HTML that the desk sends once: its answers name them by a mark, such as <&hash>, and they are put back here.
// host/inbox/pages/pieces.py is the other half.

const MOST = 60;
const MARK = /<&([0-9a-f]{12})(?: (\d+) ([^<>]*))?>/g;
const ID = "9223372036854775807", NAME = "\ue000"; // what stands in a piece for those of a message

let held = new Map(); // by hash; what was used last comes last

/** Return the pieces that are held, for one question and its answer: some may be let go of in between. */
export const heldNow = () => new Map(held);

/** Return the header that tells the desk which those are. */
export const header = (has) => ({ "X-Pieces": [...has.keys()].join(" ") });

/** Return *answer* with its pieces put back. */
export function whole({ pieces, ...answer }, has) {
  for (const [key, html] of Object.entries(pieces ?? {})) {
    has.set(key, html);
    held.set(key, html);
  }
  return restored(answer, has);
}

function restored(value, has) {
  if (typeof value === "string") return filled(value, has);
  if (Array.isArray(value)) return value.map((one) => restored(one, has));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, restored(one, has)]));
  return value;
}

function filled(text, has) {
  return text.replace(MARK, (mark, key, id, name) => {
    const html = has.get(key);
    if (html === undefined) return mark;
    held.delete(key);
    held.set(key, html);
    if (held.size > MOST) held = new Map([...held].slice(-MOST));
    const inner = filled(html, has);
    return id === undefined ? inner : inner.replaceAll(ID, id).replaceAll(NAME, () => name);
  });
}
