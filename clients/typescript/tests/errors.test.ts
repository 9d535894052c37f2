import assert from "node:assert/strict";
import { test } from "node:test";

import * as lobby from "../src/index.js";
import { standIn } from "./standin.js";

test("an error has everything the desk says", async (t) => {
  const error = {
    code: "too_long",
    message: "It is too long.",
    next: "Shorten it.",
    field: "text",
    limit: 1000,
    requestId: "9f1c",
  };
  const desk = await standIn(t, { status: 400, body: { error }, headers: { "lobby-version": "2026-11-26" } });
  const call = desk
    .client()
    .messages.reply({ kind: "text", conversationId: 1, text: "x" }, { idempotencyKey: "k" });
  await assert.rejects(call, (found: unknown) => {
    assert.ok(found instanceof lobby.TooLongError);
    assert.ok(found instanceof lobby.InvalidRequestError && found instanceof lobby.LobbyError);
    assert.equal(found.name, "TooLongError");
    assert.equal(found.message, "400 too_long: It is too long. Shorten it. (field text) (request 9f1c)");
    assert.deepEqual(
      [found.status, found.code, found.explanation, found.next, found.field, found.limit],
      [400, "too_long", "It is too long.", "Shorten it.", "text", 1000],
    );
    assert.deepEqual([found.requestId, found.idempotencyKey], ["9f1c", "k"]);
    assert.equal(found.headers.get("lobby-version"), "2026-11-26");
    return true;
  });
});

test("the id of the request has an old name at older desks", async (t) => {
  const desk = await standIn(t, { status: 404, body: { error: { code: "x", request_id: "9f1c" } } });
  await assert.rejects(desk.client().me(), (found: unknown) => {
    assert.ok(found instanceof lobby.NotFoundError);
    assert.equal(found.requestId, "9f1c");
    return true;
  });
});

const KINDS: [number, string, typeof lobby.APIError][] = [
  [400, "", lobby.InvalidRequestError],
  [401, "key_revoked", lobby.KeyRevokedError],
  [401, "key_expired", lobby.KeyExpiredError],
  [401, "key_ended", lobby.KeyEndedError],
  [403, "scope_missing", lobby.ScopeMissingError],
  [403, "key_limited", lobby.KeyLimitedError],
  [403, "person_required", lobby.PersonRequiredError],
  [404, "", lobby.NotFoundError],
  [409, "window_closed", lobby.WindowClosedError],
  [409, "people_only", lobby.PeopleOnlyError],
  [409, "account_disconnected", lobby.AccountDisconnectedError],
  [409, "idempotency_key_reused", lobby.IdempotencyKeyReusedError],
  [409, "state_moved_on", lobby.StateMovedOnError],
  [410, "events_gone", lobby.GoneError],
  [412, "version_mismatch", lobby.PreconditionFailedError],
  [413, "", lobby.InvalidRequestError],
  [418, "", lobby.APIError],
  [422, "not_written_first", lobby.NotWrittenFirstError],
  [422, "fetch_failed", lobby.FetchFailedError],
  [422, "new_code", lobby.UnprocessableError],
  [429, "rate_limited", lobby.RateLimitedError],
  [500, "", lobby.ServerError],
  [502, "provider_refused", lobby.ProviderRefusedError],
];

for (const [status, code, kind] of KINDS) {
  test(`${status} ${code} is ${kind.name}`, async (t) => {
    const desk = await standIn(t, { status, body: code ? { error: { code } } : "<html>" });
    await assert.rejects(desk.client({ maxRetries: 0 }).me(), (error: unknown) => {
      assert.equal((error as Error).constructor, kind);
      return true;
    });
  });
}
