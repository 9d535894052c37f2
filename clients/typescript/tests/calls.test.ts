import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Lobby, type Outgoing, UnreadableAnswerError } from "../src/index.js";
import { API_VERSION } from "../src/version.js";
import { KEY, standIn } from "./standin.js";

test("a message is sent as it is given, with the key in its header alone", async (t) => {
  const desk = await standIn(t, { status: 201, body: { data: [{ id: 7 }] } });
  const content = { type: "text", text: "Grüße 💙" } as const;
  const sent = await desk.client().messages.send({ channelId: "c1", to: "1026", content });
  assert.equal(sent.data[0]?.id, 7);
  const [asked] = desk.asked;
  assert.deepEqual(desk.paths(), ["POST /messages"]);
  assert.deepEqual(JSON.parse(String(asked?.body)), { channelId: "c1", to: "1026", content });
  assert.equal(asked?.headers.authorization, `Bearer ${KEY}`);
  assert.match(String(asked?.headers["user-agent"]), /^lobby-desk-client-typescript\/\d/);
  assert.equal(asked?.headers["lobby-version"], API_VERSION);
  assert.match(String(asked?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
});

test("names of a content can be in snake_case", async (t) => {
  const desk = await standIn(t, { status: 201, body: { data: [] } });
  const given: Outgoing = {
    channelId: "c1",
    to: "1026",
    content: {
      type: "text",
      text: "Which?",
      quick_replies: [{ content_type: "text", title: "A", payload: "a" }],
    },
  };
  await desk.client().messages.send(given);
  assert.deepEqual(JSON.parse(String(desk.asked[0]?.body)), given);
});

test("ice breakers are set for all languages", async (t) => {
  const desk = await standIn(t, { body: { locales: {} } });
  const iceBreakers = [{ question: "Where is my order?", payload: "TRACK" }];
  await desk.client().instagram.setIceBreakers({ channelId: "a/b", iceBreakers });
  assert.deepEqual(desk.paths(), ["PUT /accounts/a%2Fb/ice-breakers"]);
  assert.deepEqual(JSON.parse(String(desk.asked[0]?.body)), { locales: { default: iceBreakers } });
});

test("a list goes through all pages with the same filters", async (t) => {
  const desk = await standIn(
    t,
    { body: { data: [{ id: 1 }, { id: 2 }], next: "c2" } },
    { body: { data: [{ id: 3 }], next: null } },
  );
  const found = [];
  const query = { labels: [3, 7], needsReply: true, updatedSince: new Date(Date.UTC(2026, 0, 15)) };
  for await (const one of desk.client().conversations.list(query)) found.push(one.id);
  assert.deepEqual(found, [1, 2, 3]);
  const queries = desk.asked.map((one) => Object.fromEntries(new URLSearchParams(one.path.split("?")[1])));
  const same = { limit: "100", labels: "3,7", needsReply: "true", updatedSince: "2026-01-15T00:00:00.000Z" };
  assert.deepEqual(queries, [same, { ...same, cursor: "c2" }]);
});

test("no page more than is needed is fetched", async (t) => {
  const desk = await standIn(t, { body: { data: [{ id: 1 }], next: "more" } });
  for await (const one of desk.client().contacts.list()) {
    assert.equal(one.id, 1);
    break;
  }
  assert.equal(desk.asked.length, 1);
});

test("messages of a conversation come newest first", async (t) => {
  const desk = await standIn(
    t,
    { body: { data: [{ id: 3 }, { id: 4 }], next: "c" } },
    { body: { data: [{ id: 1 }, { id: 2 }], next: null } },
  );
  const found = [];
  for await (const one of desk.client().messages.list(42)) found.push(one.id);
  assert.deepEqual(found, [4, 3, 2, 1]);
});

test("a list without pages is an array", async (t) => {
  const desk = await standIn(t, { body: { data: [{ id: 1, name: "Orders" }] } });
  assert.deepEqual(await desk.client().labels.list(), [{ id: 1, name: "Orders" }]);
});

test("a call without an answer's body returns nothing", async (t) => {
  const desk = await standIn(t, { body: "" });
  assert.equal(await desk.client().labels.delete(3), undefined);
});

test("a file is uploaded with its name and type, and comes back with its type", async (t) => {
  const desk = await standIn(
    t,
    { status: 201, body: { id: "u1" } },
    { body: "PNG", headers: { "content-type": "image/png" } },
  );
  const client = desk.client();
  await client.files.upload({ content: new Uint8Array([1, 2]), name: 'a "b".png', contentType: "image/png" });
  const body = String(desk.asked[0]?.body);
  assert.match(body, /name="file"; filename="a %22b%22\.png"\r\nContent-Type: image\/png\r\n/i);
  const file = await client.files.get(7);
  assert.deepEqual([file.type, await file.text()], ["image/png", "PNG"]);
});

test("a version is sent along, and read with the headers", async (t) => {
  const desk = await standIn(t, { body: { id: 3 }, headers: { etag: '"v1"' } });
  const client = desk.client();
  const { data, headers } = await client.request<{ id: number }>("GET", "/labels/{}", { ids: [3] });
  await client.labels.change(data.id, { name: "New" }, { ifMatch: headers.get("etag") ?? "" });
  assert.equal(desk.asked[1]?.headers["if-match"], '"v1"');
});

test("an id cannot name another path", async (t) => {
  const desk = await standIn(t);
  const client = desk.client();
  for (const id of ["", ".", ".."]) await assert.rejects(client.accounts.get(id), TypeError);
  await assert.rejects(client.messages.get(Number.NaN), TypeError);
  await client.accounts.get("../labels?x#y");
  assert.deepEqual(
    desk.asked.map((one) => one.path),
    ["/api/v1/accounts/..%2Flabels%3Fx%23y"],
  );
});

test("what is no JSON is not from a desk", async (t) => {
  const desk = await standIn(t, { body: "<html>" });
  await assert.rejects(desk.client().me(), UnreadableAnswerError);
});

test("an address that would give the key away is refused", () => {
  const refused = [
    "desk.example.com",
    "ftp://desk",
    "http://desk.example.com",
    "https://a:b@desk",
    "https://desk?x=1",
    "",
  ];
  for (const url of refused) {
    assert.throws(() => new Lobby({ apiKey: KEY, url }), TypeError, url);
  }
  for (const url of ["https://desk.example.com/", "http://localhost:8080", "http://[::1]:8080/api/v1"]) {
    assert.ok(new Lobby({ apiKey: KEY, url }));
  }
  assert.ok(new Lobby({ apiKey: KEY, url: "http://desk.internal", allowHttp: true }));
  for (const apiKey of ["", " ", "lobby_ü", "a\nb"]) {
    assert.throws(() => new Lobby({ apiKey, url: "https://desk" }), TypeError);
  }
});

test("key and address come from the environment", async (t) => {
  const desk = await standIn(t, { body: { name: "Bot" } });
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env.LOBBY_URL = desk.url;
  process.env.LOBBY_API_KEY = KEY;
  assert.deepEqual(await new Lobby().me(), { name: "Bot" });
});

test("nothing that is printed shows the key", async (t) => {
  const desk = await standIn(t, { status: 401, body: {} });
  const client = desk.client();
  const error: unknown = await client.me().catch((reason: unknown) => reason);
  for (const one of [client, client.messages, error]) {
    assert.ok(!inspect(one, { depth: 9, showHidden: true }).includes("SECRET"));
    assert.ok(!JSON.stringify(one).includes("SECRET"));
  }
});
