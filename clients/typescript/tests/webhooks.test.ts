import assert from "node:assert/strict";
import { test } from "node:test";

import { WebhookVerificationError, isErased, webhooks } from "../src/index.js";

// Signed by the library of standardwebhooks.com for Python.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT = 1614265330;
const BODY = '{"event": "message.received", "data": {"text": "Grüße 💙"}}';
const SIGNATURE = "v1,H1h9tJizPBi0z4B0BhgDwuhbGKsPslBGCKC7OC8M9F8=";
const HEADERS = { "webhook-id": ID, "webhook-timestamp": String(AT), "webhook-signature": SIGNATURE };
const OTHER = webhooks.newSecret();

test("what the library signs is genuine", () => {
  const found = webhooks.verify(BODY, HEADERS, SECRET, { now: AT });
  assert.deepEqual([found.id, found.event, found.data], [ID, "message.received", { text: "Grüße 💙" }]);
  assert.equal(found.timestamp.getTime(), AT * 1000);
  assert.equal(webhooks.sign(SECRET, ID, AT, BODY), SIGNATURE);
  assert.equal(webhooks.sign(SECRET, ID, AT, Buffer.from(BODY)), SIGNATURE);
});

const GENUINE: [string, webhooks.GivenHeaders, string | string[]][] = [
  [
    "headers in whatever case",
    { "Webhook-Id": ID, "WEBHOOK-TIMESTAMP": String(AT), "webhook-signature": SIGNATURE },
    SECRET,
  ],
  ["headers of fetch", new Headers(HEADERS), SECRET],
  ["several headers of a name", { ...HEADERS, "webhook-signature": ["v1,bm8=", SIGNATURE] }, SECRET],
  [
    "one of several signatures",
    { ...HEADERS, "webhook-signature": `v1,bm8= v2,xx ${SIGNATURE} v1a,yy` },
    SECRET,
  ],
  ["the new one of two secrets", HEADERS, [OTHER, SECRET]],
  ["a secret without its prefix", HEADERS, SECRET.slice("whsec_".length)],
];
for (const [name, headers, secret] of GENUINE) {
  test(`${name}: genuine`, () => {
    assert.equal(webhooks.verify(Buffer.from(BODY), headers, secret, { now: AT + 299 }).id, ID);
  });
}

const FALSE: [string, Partial<Record<keyof typeof HEADERS, string>>, string, number][] = [
  ["another body", {}, `${BODY} `, AT],
  ["another id", { "webhook-id": "evt_2" }, BODY, AT],
  ["another time", { "webhook-timestamp": String(AT + 1) }, BODY, AT],
  ["no signature", { "webhook-signature": "" }, BODY, AT],
  ["no id", { "webhook-id": "" }, BODY, AT],
  ["another version of the signature", { "webhook-signature": SIGNATURE.replace("v1", "v2") }, BODY, AT],
  ["a part of the signature", { "webhook-signature": SIGNATURE.slice(0, -1) }, BODY, AT],
  ["too old", {}, BODY, AT + 301],
  ["from the future", {}, BODY, AT - 301],
  ["no time", { "webhook-timestamp": "soon" }, BODY, AT],
  ["a time that is no number", {}, BODY, Number.NaN],
];
for (const [name, changed, body, now] of FALSE) {
  test(`${name}: not genuine`, () => {
    const headers = { ...HEADERS, ...changed };
    assert.throws(() => webhooks.verify(body, headers, SECRET, { now }), WebhookVerificationError);
  });
}

test("another secret: not genuine", () => {
  assert.throws(() => webhooks.verify(BODY, HEADERS, OTHER, { now: AT }), WebhookVerificationError);
});

for (const body of [
  "[]",
  "null",
  "{",
  '{"event": 1, "data": {}}',
  '{"event": "a", "data": []}',
  '{"event": "a"}',
]) {
  test(`a body of another form: ${body}`, () => {
    const headers = webhooks.headersOf(SECRET, ID, AT, body);
    assert.throws(() => webhooks.verify(body, headers, SECRET, { now: AT }), WebhookVerificationError);
  });
}

test("a secret that is none is a mistake of the program", () => {
  for (const secret of ["", "whsec_", "whsec_%%", "hello world", []]) {
    assert.throws(() => webhooks.verify(BODY, HEADERS, secret, { now: AT }), TypeError);
  }
});

test("the data has the type of its event, and an erased one has ids alone", () => {
  const body = JSON.stringify({ event: "message.received", data: { id: "1", erased: true } });
  const found = webhooks.verify(body, webhooks.headersOf(SECRET, ID, AT, body), SECRET, { now: AT });
  assert.equal(found.event, "message.received");
  if (found.event !== "message.received") return;
  const text: string | undefined = isErased(found.data) ? "gone" : found.data.content.text;
  assert.equal(text, "gone");
});
