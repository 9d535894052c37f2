import type { Http } from "./http.js";

/** A group of calls. */
export class Calls {
  constructor(protected readonly http: Http) {
    // Printing a client shows its groups; what they share is of no interest there.
    Object.defineProperty(this, "http", { enumerable: false });
  }
}

/** Return whether a field of a body is given and not empty. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && !value.length);
}
