// Sending something that must arrive once: what became of it, as far as that is known.

import { csrfToken } from "./base.js";

const LEAVES_MS = 300;

/** Post *body*. Return the answer, whether the desk took it, and whether nobody knows. */
export async function asked(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  try {
    const response = await fetch(url, { method: "POST", body, headers, credentials: "same-origin" });
    const answer = await response.json();
    return { answer, isTaken: response.ok, isAway: response.status >= 500 };
  } catch {
    // A page that is left hears this first. It says nothing then: the page after it asks what became of it.
    await new Promise((resolve) => { setTimeout(resolve, LEAVES_MS); });
    return { answer: {}, isTaken: false, isAway: true };
  }
}
