import assert from "node:assert/strict";
import { test } from "node:test";

import { type ListenOptions, type LobbyEvent, PermissionDeniedError, type Position } from "../src/index.js";
import { type Reply, type StandIn, refusal, standIn } from "./standin.js";

function event(number: number, customer = "ana"): LobbyEvent {
  const data = { channelId: "c", from: customer, payload: "P", timestamp: "2026-01-15T10:30:00Z" };
  return { id: `evt_${number}`, event: "instagram.postback", data, at: "2026-01-15T10:30:00Z" };
}

function page(next: string, ...data: LobbyEvent[]): Reply {
  return { body: { data, next, more: false } };
}

/** Listen until *enough* ids were given to the handler, or the listener has nothing left. */
async function listen(
  desk: StandIn,
  enough: number,
  options: ListenOptions = {},
  fails: (event: LobbyEvent, attempt: number) => boolean = () => false,
): Promise<{ seen: string[]; kept: Position[] }> {
  const ending = new AbortController();
  const seen: string[] = [];
  const kept: Position[] = [];
  const attempts = new Map<string, number>();
  await desk.client().events.listen(
    (one) => {
      const attempt = (attempts.get(one.id) ?? 0) + 1;
      attempts.set(one.id, attempt);
      seen.push(one.id);
      if (fails(one, attempt)) throw new Error("not now");
    },
    {
      signal: ending.signal,
      ...options,
      save: async (position) => {
        kept.push(structuredClone(position));
        await options.save?.(position);
        const handled = new Set(seen);
        if (handled.size >= enough && !position.waiting.length && !position.handled.length) ending.abort();
      },
    },
  );
  return { seen, kept };
}

function cursors(desk: StandIn): (string | null)[] {
  return desk.asked.map((one) => new URLSearchParams(one.path.split("?")[1]).get("cursor"));
}

test("events come in their order, and the position is kept after each", async (t) => {
  const desk = await standIn(t, page("c0"), page("c1", event(1), event(2)), page("c2", event(3)));
  const { seen, kept } = await listen(desk, 3, { events: ["message.*", "instagram.postback"] });
  assert.deepEqual(seen, ["evt_1", "evt_2", "evt_3"]);
  assert.deepEqual(cursors(desk), [null, "c0", "c1"]);
  assert.deepEqual(kept.slice(0, 3), [
    { cursor: "c0", handled: [], waiting: [] },
    { cursor: "c0", handled: ["evt_1"], waiting: [] },
    { cursor: "c0", handled: ["evt_1", "evt_2"], waiting: [] },
  ]);
  const [first, second] = desk.asked.map((one) => new URLSearchParams(one.path.split("?")[1]));
  assert.deepEqual([first?.get("wait"), second?.get("wait")], ["0", "25"]);
  assert.equal(first?.get("events"), "message.*,instagram.postback");
});

test("a run goes on where the one before was", async (t) => {
  const desk = await standIn(t, page("c1", event(1), event(2)));
  const { seen } = await listen(desk, 1, { position: { cursor: "c0", handled: ["evt_1"], waiting: [] } });
  assert.deepEqual(seen, ["evt_2"]);
  assert.deepEqual(cursors(desk), ["c0"]);
});

test("what fails is tried again before anything later", async (t) => {
  const desk = await standIn(t, page("c1", event(1), event(2)));
  const { seen } = await listen(desk, 2, {}, (one, attempt) => one.id === "evt_1" && attempt < 4);
  assert.deepEqual(seen, ["evt_1", "evt_1", "evt_1", "evt_1", "evt_2"]);
  assert.deepEqual(desk.slept, [0.5, 1, 2]);
});

test("other conversations go on if asked, and the later events of the same one wait", async (t) => {
  const first = page("c1", event(1, "ana"), event(2, "bo"), event(3, "ana"));
  const desk = await standIn(t, first, page("c2", event(4, "bo")), page("c3"));
  const fails = (one: LobbyEvent, attempt: number) => one.id === "evt_1" && attempt === 1;
  const { seen, kept } = await listen(desk, 4, { continueOthers: true }, fails);
  assert.deepEqual(seen.slice(0, 3), ["evt_1", "evt_2", "evt_4"], "the others do not wait");
  assert.deepEqual(seen.slice(3), ["evt_1", "evt_3"], "in order, once it works");
  const waiting = kept.map((position) => position.waiting.map((one) => one.id));
  assert.ok(
    waiting.some((ids) => ids.join() === "evt_1,evt_3"),
    JSON.stringify(waiting),
  );
});

test("what waits is in the position, so that a restart does not lose it", async (t) => {
  const desk = await standIn(t, page("c2"));
  const { seen } = await listen(desk, 2, {
    position: { cursor: "c1", handled: [], waiting: [event(1), event(3)] },
  });
  assert.deepEqual(seen, ["evt_1", "evt_3"]);
});

test("an event can be left out, or end the loop", async (t) => {
  const desk = await standIn(t, page("c1", event(1), event(2)));
  const told: string[] = [];
  const onError: ListenOptions["onError"] = (_error, one, attempt) => {
    told.push(`${one.id} ${attempt}`);
    return attempt < 2 ? "retry" : "skip";
  };
  const { seen } = await listen(desk, 2, { onError }, (one) => one.id === "evt_1");
  assert.deepEqual(seen, ["evt_1", "evt_1", "evt_2"]);
  assert.deepEqual(told, ["evt_1 1", "evt_1 2"]);
  const ends: ListenOptions["onError"] = (error) => {
    throw error;
  };
  await assert.rejects(
    listen(desk, 2, { onError: ends }, () => true),
    /not now/,
  );
});

test("a desk that does not answer is asked again, one that refuses is not", async (t) => {
  const desk = await standIn(t, ...Array.from({ length: 6 }, () => ({ status: 503 })), page("c1", event(1)));
  const told: number[] = [];
  const { seen } = await listen(desk, 1, { onUnreachable: (_error, seconds) => void told.push(seconds) });
  assert.deepEqual([seen, told], [["evt_1"], [0.5]]);
  const other = await standIn(t, refusal(403, "scope_missing"));
  await assert.rejects(listen(other, 1), PermissionDeniedError);
});

test("a signal ends the loop while it waits for events", async (t) => {
  const ending = new AbortController();
  const desk = await standIn(t, () => {
    ending.abort();
    return null; // the request is still open then
  });
  await desk.client().events.listen(() => assert.fail(), { signal: ending.signal });
  assert.equal(desk.asked.length, 1);
});

test("pages of events go on from each other", async (t) => {
  const desk = await standIn(t, page("c1", event(1)), page("c2"));
  for await (const one of desk.client().events.pages({ account: 3 })) {
    if (one.next === "c2") break;
  }
  assert.deepEqual(cursors(desk), [null, "c1"]);
});
