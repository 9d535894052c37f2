import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";

import {
  APIConnectionError,
  ConflictError,
  Lobby,
  RateLimitedError,
  RedirectedError,
  ServerError,
} from "../src/index.js";
import { KEY, refusal, standIn } from "./standin.js";

const CONTENT = { channelId: "c", to: "1", content: { type: "text", text: "Hi" } } as const;
const SENT = { status: 201, body: { data: [] } };

test("every attempt of a call has one key and the same bytes", async (t) => {
  const desk = await standIn(t, { status: 0 }, { status: 503 }, refusal(409, "request_in_flight"), SENT);
  await desk.client().messages.send(CONTENT);
  assert.equal(desk.asked.length, 4);
  assert.equal(new Set(desk.asked.map((one) => one.headers["idempotency-key"])).size, 1);
  assert.equal(new Set(desk.asked.map((one) => String(one.body))).size, 1);
  assert.equal(desk.slept.length, 3);
  assert.ok(
    desk.slept.every((pause, number) => pause >= 0 && pause <= 0.5 * 2 ** number),
    String(desk.slept),
  );
});

test("an upload has the same bytes in each attempt", async (t) => {
  const desk = await standIn(t, { status: 502 }, { status: 201, body: { id: "u" } });
  await desk.client().files.upload({ content: "a" });
  assert.deepEqual(desk.asked[0]?.body, desk.asked[1]?.body);
  assert.equal(desk.asked[0]?.headers["content-type"], desk.asked[1]?.headers["content-type"]);
});

test("two calls have two keys, and a given one is used", async (t) => {
  const desk = await standIn(t, SENT);
  const client = desk.client();
  await client.messages.send(CONTENT);
  await client.messages.send(CONTENT);
  await client.messages.send(CONTENT, { idempotencyKey: "order-1042" });
  const keys = desk.asked.map((one) => one.headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], "order-1042");
});

test("what the desk says of when is kept to, and no more than a minute is waited", async (t) => {
  const desk = await standIn(
    t,
    refusal(429, "rate_limited", { "retry-after": "7" }),
    refusal(429, "rate_limited", { "retry-after": "61" }),
  );
  await assert.rejects(
    desk.client().me(),
    (error: unknown) => error instanceof RateLimitedError && error.retryAfter === 61,
  );
  assert.equal(desk.asked.length, 2);
  const [pause] = desk.slept;
  assert.ok(pause !== undefined && pause >= 7 && pause <= 8);
});

test("it is tried five times at most", async (t) => {
  const desk = await standIn(t, { status: 503 });
  await assert.rejects(desk.client().me(), ServerError);
  assert.equal(desk.asked.length, 5);
  await assert.rejects(desk.client({ maxRetries: 0 }).me(), ServerError);
  assert.equal(desk.asked.length, 6);
});

for (const [name, reply] of Object.entries({
  "a conflict": refusal(409, "window_closed"),
  "an invalid request": refusal(400, "invalid_body"),
  "a refusal of the provider": refusal(502, "provider_refused"),
  "an error of the desk": refusal(500, "internal"),
})) {
  test(`${name} is an answer`, async (t) => {
    const desk = await standIn(t, reply);
    await assert.rejects(desk.client().messages.send(CONTENT));
    assert.equal(desk.asked.length, 1);
  });
}

test("what costs money each time is not tried again once it may have arrived", async (t) => {
  const desk = await standIn(t, { status: 0 });
  const call = desk.client().assistants.play(1, { question: "Hours?" });
  await assert.rejects(call, (error: unknown) => error instanceof APIConnectionError && error.sent);
  assert.equal(desk.asked.length, 1);
});

test("neither is a change of what was read, because the first attempt may have changed it", async (t) => {
  const desk = await standIn(t, { status: 503 });
  const client = desk.client();
  await assert.rejects(client.labels.change(3, { name: "A" }, { ifMatch: '"v1"' }), ServerError);
  await assert.rejects(client.hours.set({ week: null, version: 4 }), ServerError);
  assert.equal(desk.asked.length, 2);
  await assert.rejects(client.hours.set({ week: null }), ServerError);
  assert.equal(desk.asked.length, 7);
});

test("a desk that is not there is an error that says nothing was sent", async () => {
  const slept: number[] = [];
  const gone = createServer().listen(0, "127.0.0.1");
  await once(gone, "listening");
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, "close");
  const client = new Lobby({
    apiKey: KEY,
    url: `http://127.0.0.1:${port}`,
    sleep: async (milliseconds) => void slept.push(milliseconds),
  });
  const call = client.assistants.play(1, { question: "Hours?" });
  await assert.rejects(call, (error: unknown) => error instanceof APIConnectionError && !error.sent);
  assert.equal(slept.length, 4);
});

test("an attempt that takes too long ends, and is tried again", async (t) => {
  const desk = await standIn(t, null, { body: { name: "Bot" } });
  assert.deepEqual(await desk.client({ timeout: 150 }).me(), { name: "Bot" });
  assert.equal(desk.asked.length, 2);
});

test("a timeout of a call that may take long is kept to", async (t) => {
  const desk = await standIn(t, null);
  const client = desk.client({ maxRetries: 0 });
  await assert.rejects(
    client.accounts.diagnose("c", { timeout: 50 }),
    (error: unknown) => error instanceof APIConnectionError && error.message.includes("nothing in 50 ms"),
  );
});

test("a signal ends a call, with its reason", async (t) => {
  const desk = await standIn(t, null);
  const ending = new AbortController();
  const call = desk.client().me({ signal: ending.signal });
  const reason = new Error("enough");
  setTimeout(() => ending.abort(reason), 20);
  await assert.rejects(call, reason);
  await assert.rejects(desk.client().me({ signal: ending.signal }), reason);
  assert.equal(desk.asked.length, 1);
});

test("a signal ends the pause before an attempt", async (t) => {
  const desk = await standIn(t, refusal(429, "rate_limited", { "retry-after": "30" }));
  const client = new Lobby({ apiKey: KEY, url: desk.url });
  await assert.rejects(client.me({ signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
});

test("a redirect is not followed", async (t) => {
  const elsewhere = await standIn(t);
  const desk = await standIn(t, { status: 307, headers: { location: `${elsewhere.url}/api/v1/me?a=b` } });
  await assert.rejects(desk.client().me(), (error: unknown) => {
    assert.ok(error instanceof RedirectedError);
    assert.ok(error.message.includes(elsewhere.url));
    return true;
  });
  assert.equal(elsewhere.asked.length, 0);
});

test("a conflict while the first attempt is worked on is one in the end", async (t) => {
  const desk = await standIn(t, refusal(409, "request_in_flight"));
  await assert.rejects(desk.client({ maxRetries: 1 }).messages.send(CONTENT), ConflictError);
  assert.equal(desk.asked.length, 2);
});

test("a key that expires soon is warned of once", async (t) => {
  const headers = { "lobby-key-expires": "2026-12-09T23:00:00Z" };
  const refused = refusal(403, "scope_missing", headers);
  const desk = await standIn(t, {}, { status: 503, headers }, { headers }, refused);
  const warnings: string[] = [];
  const client = desk.client({ warn: (text) => warnings.push(text) });
  await client.me();
  assert.equal(warnings.length, 0);
  await client.me();
  await assert.rejects(client.me());
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /2026-12-09T23:00:00Z/);
  assert.ok(!warnings[0]?.includes(KEY));
});
