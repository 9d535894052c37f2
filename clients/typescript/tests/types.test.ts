/** What the compiler refuses: a line below `@ts-expect-error` that it took would be an error of its own. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { type EventChoice, type EventName, type Lobby, otherEvent, type types } from "../src/index.js";
import { standIn } from "./standin.js";

const BODY: types.SequenceBody = {
  starts: { words: ["order"] },
  people: ["a person"],
  steps: [
    { do: "ask", id: "number", text: "Which order?", kind: "number", variable: "order", other: "hand" },
    { do: "branch", id: "way", cases: [{ to: "hand", variable: "order", value: "7" }] },
    { do: "act", id: "mark", action: { do: "note", text: "They wrote again." } },
    { do: "people", id: "hand", text: "We look it up." },
  ],
};

test("events are asked for by name, also those that this client does not know", async (t) => {
  const desk = await standIn(t, { body: { data: [], next: "c", more: false } });
  const events: EventChoice[] = ["message.received", "conversation.*", otherEvent("email.waved")];
  await desk.client().events.page({ events });
  const asked = new URLSearchParams(desk.asked[0]?.path.split("?")[1]);
  assert.equal(asked.get("events"), "message.received,conversation.*,email.waved");
});

test("what was read of an endpoint and of a sequence can be written back", async (t) => {
  const endpoint = { id: 5, events: ["message.*", "email.waved"] };
  const desk = await standIn(t, { body: endpoint }, { body: endpoint }, { body: { id: 7, body: BODY } });
  const client = desk.client();
  const { events } = await client.endpoints.get(5);
  await client.endpoints.change(5, { events: [...events, "note.added"] });
  assert.deepEqual(JSON.parse(String(desk.asked[1]?.body)), { events: [...endpoint.events, "note.added"] });
  const { body } = await client.sequences.get(7);
  assert.ok(body);
  await client.sequences.replace(7, { name: "Orders", body: { ...body, steps: body.steps.slice(1) } });
  const sent = JSON.parse(String(desk.asked[3]?.body));
  assert.deepEqual(sent.body, { ...BODY, steps: BODY.steps.slice(1) });
});

/** Is compiled and never called. */
export async function refused(client: Lobby): Promise<EventName[]> {
  const url = "https://example.com/hook";
  await client.endpoints.create({ url, events: ["message.received", "instagram.*", "*"] });
  // @ts-expect-error a typo
  await client.endpoints.create({ url, events: ["message.recieved"] });
  // @ts-expect-error no event begins so
  await client.endpoints.create({ url, events: ["messages.*"] });
  // @ts-expect-error any text
  await client.endpoints.change(5, { events: [url] });
  // @ts-expect-error a typo
  await client.events.page({ events: ["note.add"] });
  // @ts-expect-error no event begins so
  client.events.pages({ events: ["label.added"] });
  // @ts-expect-error a channel without events of its own
  await client.events.listen(() => {}, { events: ["whatsapp.*"] });
  for await (const delivery of client.endpoints.deliveries(5)) {
    // @ts-expect-error a typo
    if (delivery.event === "message.send") return [];
  }
  // @ts-expect-error no step
  await client.sequences.create({ name: "Bulk", body: { steps: [{ do: "shout", id: "a" }] } });
  // @ts-expect-error a typo in a key
  await client.sequences.create({ name: "Bulk", body: { steps: [], starts: { word: ["order"] } } });
  return ["message.sent", "instagram.comment"];
}
