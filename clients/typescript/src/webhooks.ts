/**
 * Standard Webhooks: `verify` received ones, `sign` ones for tests.
 *
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { WebhookVerificationError } from "./errors.js";
import type { AllEventData, EventName } from "./events.js";

const PREFIX = "whsec_";
/** Seconds a webhook may be older, or newer, than this machine's clock. */
export const TOLERANCE = 300;

/** A verified webhook. */
export type Webhook = {
  [Name in EventName]: {
    /** The same in each repeat: what was done for it once need not be done again. */
    id: string;
    event: Name;
    data: AllEventData[Name];
    /** When this attempt was sent. */
    timestamp: Date;
  };
}[EventName];

/** The headers of a request: of `fetch`, or of Node. */
export type GivenHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyOptions {
  /** Seconds by which the clocks may differ; default: 300. */
  tolerance?: number | undefined;
  /** The time in seconds; default: this machine's. */
  now?: number | undefined;
}

/**
 * Return the webhook if its signature is valid.
 *
 * @param body as it came; what a framework parsed and wrote again has another signature.
 * @param headers of the request, in whatever case.
 * @param secret `whsec_...`; while it is being changed, the old and the new one.
 * @throws WebhookVerificationError if it is not genuine, or too old.
 * @throws TypeError for a secret that is none.
 */
export function verify(
  body: string | Uint8Array,
  headers: GivenHeaders,
  secret: string | readonly string[],
  options: VerifyOptions = {},
): Webhook {
  const keys = (typeof secret === "string" ? [secret] : secret).map(keyOf);
  if (!keys.length) throw new TypeError("there is no secret");
  const id = header(headers, "webhook-id");
  const stamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature")
    .split(" ")
    .map((one) => Buffer.from(one));
  if (!/^[0-9]{1,12}$/.test(stamp)) {
    throw new WebhookVerificationError("the header webhook-timestamp is no number of seconds");
  }
  const raw = bytesOf(body);
  let right = false;
  for (const wanted of keys.map((key) => Buffer.from(signature(key, id, stamp, raw)))) {
    for (const given of signatures) {
      const same = given.length === wanted.length && timingSafeEqual(given, wanted);
      right = same || right; // every pair is compared, so that the time says nothing
    }
  }
  if (!right) throw new WebhookVerificationError("no signature is right");
  const apart = (options.now ?? Date.now() / 1000) - Number(stamp);
  if (!(Math.abs(apart) <= (options.tolerance ?? TOLERANCE))) {
    throw new WebhookVerificationError(apart > 0 ? "it is too old" : "it comes from the future");
  }
  return read(id, Number(stamp), raw);
}

/**
 * Return the signature of a webhook, `v1,...`.
 *
 * @param timestamp seconds since 1970.
 * @throws TypeError for a secret that is none.
 */
export function sign(secret: string, id: string, timestamp: number, body: string | Uint8Array): string {
  return signature(keyOf(secret), id, String(timestamp), bytesOf(body));
}

/** Return the headers a desk sends with a body. */
export function headersOf(
  secret: string,
  id: string,
  timestamp: number,
  body: string | Uint8Array,
): Record<string, string> {
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": sign(secret, id, timestamp, body),
  };
}

/** Return a new secret in the desk's format. */
export function newSecret(): string {
  return PREFIX + randomBytes(32).toString("base64");
}

function read(id: string, stamp: number, raw: Buffer): Webhook {
  let found: unknown;
  try {
    found = JSON.parse(raw.toString());
  } catch {
    found = undefined;
  }
  const { event, data } = (typeof found === "object" && found !== null ? found : {}) as Record<
    string,
    unknown
  >;
  if (typeof event !== "string" || typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new WebhookVerificationError("its body is not of the form {event, data}");
  }
  return { id, event, data, timestamp: new Date(stamp * 1000) } as Webhook;
}

function bytesOf(body: string | Uint8Array): Buffer {
  return typeof body === "string" ? Buffer.from(body) : Buffer.from(body);
}

function header(headers: GivenHeaders, name: string): string {
  let found: string | readonly string[] | null | undefined;
  if (headers instanceof Headers) {
    found = headers.get(name);
  } else {
    found = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  }
  const value = typeof found === "string" ? found : found?.join(" ");
  if (!value) throw new WebhookVerificationError(`the header ${name} is missing`);
  return value;
}

function signature(key: Buffer, id: string, stamp: string, body: Buffer): string {
  return `v1,${createHmac("sha256", key).update(`${id}.${stamp}.`).update(body).digest("base64")}`;
}

function keyOf(secret: string): Buffer {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = Buffer.from(text, "base64");
  // Buffer passes over what is not base64, so the secret is compared with what was read of it.
  if (!key.length || key.toString("base64") !== text) {
    throw new TypeError("the secret is not of the form whsec_...");
  }
  return key;
}
