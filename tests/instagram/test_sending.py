"""Sending over the wire: one outcome for every way Meta can answer, and none for what it cannot have got."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from host.core import clock, db, guard, secrets
from host.core.backports.values import replace
from host.sdk import settings
from host.sdk.channel import (
    Absent,
    AccountRef,
    CannotTell,
    Found,
    Held,
    NoProfile,
    NotSent,
    Pause,
    Profile,
    Rejected,
    SearchRequest,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.http import Client, Response
from host.sdk.messages import MessageKind, OutgoingPart
from host.sdk.secrets import Secret
from sandbox import seed
from tests.instagram import world
from tests.instagram.test_errors import TABLE
from tests.instagram.world import ANA, KIT, POTTERY, Addon, Meta

OUTCOMES: dict[str, Any] = {"wait": NotSent, "rejected": Rejected, "unknown": Unknown}


@pytest.fixture
def adapter(ig: Addon) -> Any:
    return ig.channel.InstagramAdapter()


@pytest.fixture
def send(adapter: Any, account: AccountRef, meta: Meta) -> Any:
    meta.wrote()

    def run(text: str = "Yes, three are left.", **changes: Any) -> SendResult:
        part = OutgoingPart(changes.pop("kind", MessageKind.TEXT), text=text)
        request = SendRequest(account=account, recipient=ANA, part=part, message_key="f" * 32, **changes)
        answer: SendResult = adapter.send(request)
        return answer

    return run


@pytest.fixture
def impatient(ig: Addon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits half a second for an answer, so that tests need not wait for twenty."""
    from host.sdk.http import Client

    monkeypatch.setattr(ig.graph, "_client", lambda hosts: Client(hosts, read_timeout=0.5))


def test_a_text_reaches_the_customer_and_its_id_comes_back(send: Any, meta: Meta) -> None:
    answer = send("Yes, three are left. 🏺")
    (sent,) = meta.sent()
    assert answer == Sent(sent["mid"])
    assert (sent["text"], sent["customer"], sent["account"]) == ("Yes, three are left. 🏺", ANA, POTTERY)
    assert (sent["tag"], sent["token"]) == (None, "pottery-long")


def test_an_ordinary_reply_says_that_it_is_a_response(send: Any, meta: Meta) -> None:
    send()
    body = next(entry.body for entry in meta.box.ledger.entries(0) if entry.kind == "send")
    assert body is not None
    assert '"messaging_type": "RESPONSE"' in body


def test_a_late_reply_by_a_person_carries_the_tag(send: Any, meta: Meta) -> None:
    meta.box.clock.advance(2 * 24 * 3600)
    assert isinstance(send(), Rejected)
    assert isinstance(send(tag="HUMAN_AGENT"), Sent)
    (sent,) = meta.sent()
    assert sent["tag"] == "HUMAN_AGENT"


def test_every_call_proves_the_app_secret(send: Any, meta: Meta) -> None:
    meta.box.world.apps[world.APP_ID].require_proof = True
    assert isinstance(send(), Sent)


@pytest.mark.parametrize(("code", "subcode", "outcome"), [row for row in TABLE if row[2] != "reconnect"])
def test_every_code_has_its_outcome_on_the_wire(
    send: Any, meta: Meta, code: int, subcode: int | None, outcome: str
) -> None:
    meta.fault("send", "error", code=code, **({} if subcode is None else {"subcode": subcode}))
    answer = send()
    assert isinstance(answer, OUTCOMES[outcome]), answer
    assert answer.problem.code == (f"{code}/{subcode}" if subcode else str(code))
    assert answer.problem.sentence
    assert answer.problem.raw
    assert meta.sent() == []


@pytest.mark.parametrize("status", [400, 403, 500])
def test_the_status_around_a_code_changes_nothing(send: Any, meta: Meta, status: int) -> None:
    meta.fault("send", "error", code=10, subcode=2534022, status=status, type="IGApiException", message="no")
    assert isinstance(send(), Rejected)


def test_limits_wait_as_long_as_meta_says(send: Any, meta: Meta) -> None:
    usage = f'{{"{POTTERY}":[{{"type":"instagram","call_count":100,"estimated_time_to_regain_access":7}}]}}'
    meta.fault("send", "error", code=613, headers={"X-Business-Use-Case-Usage": usage})
    answer = send()
    assert (answer.retry_after, answer.whole_account) == (420, True)


def test_limits_without_a_time_wait_a_while(send: Any, meta: Meta) -> None:
    meta.fault("send", "error", code=368)
    assert send().retry_after == 3600


def test_too_many_requests_without_a_readable_error_is_a_limit(send: Any, meta: Meta) -> None:
    meta.fault("send", "error", status=429, headers={"Retry-After": "30"})
    answer = send()
    assert isinstance(answer, NotSent)
    assert (answer.retry_after, answer.whole_account) == (30, True)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_may_have_been_sent(send: Any, meta: Meta, status: int) -> None:
    meta.fault("send", "error", status=status, when="after")
    assert isinstance(send(), Unknown)
    assert len(meta.sent()) == 1, "it was"


@pytest.mark.parametrize(
    ("fault", "transient"),
    [
        ({"code": 2}, True),
        ({"code": 2, "subcode": 1545133}, True),
        ({"code": -1}, True),
        ({"code": 1200}, True),
        ({"code": 1}, False),
        ({"code": 1, "subcode": 1357046}, False),
        ({"status": 500}, False),
        ({"status": 503}, False),
    ],
)
def test_only_what_meta_itself_calls_transient_is_looked_for_sooner(
    send: Any, meta: Meta, fault: dict[str, int], transient: bool
) -> None:
    meta.fault("send", "error", **fault)
    answer = send()
    assert isinstance(answer, Unknown)
    assert answer.transient is transient


@pytest.mark.parametrize(
    ("code", "subcode", "marked", "transient"),
    [
        (1, None, True, True),
        (1, None, False, False),
        (2, None, False, False),
        (1, 1357046, True, False),
        (987654, None, True, False),
    ],
)
def test_an_error_by_which_messages_were_sent_is_not_transient_whatever_meta_says(
    ig: Addon, code: int, subcode: int | None, marked: bool, transient: bool
) -> None:
    error = ig.graph.GraphError("no", code=code, subcode=subcode, status=500, transient=marked)
    found = ig.sending.replies.outcome(None, error, "key")
    assert isinstance(found, Unknown)
    assert found.transient is transient


@pytest.mark.parametrize(
    "text", ["<!doctype html>", "{}", '{"recipient_id":"1"}', '{"message_id":""}', "[]", "null"]
)
def test_an_answer_nobody_can_read_may_have_been_sent(send: Any, meta: Meta, text: str) -> None:
    meta.fault("send", "garbage", text=text)
    assert isinstance(send(), Unknown)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("when", ["before", "after"])
def test_no_answer_in_time_may_have_been_sent(send: Any, meta: Meta, when: str) -> None:
    meta.fault("send", "timeout", seconds=2, when=when)
    answer = send()
    assert isinstance(answer, Unknown)
    assert "it isn't known whether the message arrived" in answer.problem.sentence


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_cut_after_writing_may_have_been_sent(send: Any, meta: Meta, when: str) -> None:
    meta.fault("send", "reset", when=when)
    assert isinstance(send(), Unknown)


def test_nobody_there_means_certainly_not_sent(send: Any, ig: Addon) -> None:
    guard.allow(["127.0.0.1:1"])
    settings.provide("instagram", {**ig.defaults, "graph_facebook_url": "http://127.0.0.1:1"})
    answer = send()
    assert isinstance(answer, NotSent)
    assert not answer.whole_account


def test_a_forbidden_address_means_certainly_not_sent(send: Any) -> None:
    guard.allow(())
    assert isinstance(send(), NotSent)


@pytest.mark.parametrize("subcode", [458, 459, 460, 463, 464, 467, 492])
def test_a_dead_token_holds_the_queue_once_a_probe_confirms_it(send: Any, meta: Meta, subcode: int) -> None:
    token = meta.token("pottery-long")
    token.valid, token.subcode = False, subcode
    answer = send()
    assert isinstance(answer, Held)
    assert answer.problem.code == f"190/{subcode}"
    assert meta.calls("me")


@pytest.mark.parametrize("code", [102, 190])
def test_a_token_refused_once_but_alive_is_only_tried_again(send: Any, meta: Meta, code: int) -> None:
    meta.fault("send", "error", code=code)
    answer = send()
    assert isinstance(answer, NotSent)
    assert "accepts it now" in answer.problem.sentence


def test_a_probe_that_cannot_be_made_holds_nothing(send: Any, meta: Meta) -> None:
    meta.fault("send", "error", code=190, subcode=460)
    meta.fault("me", "error", code=2, status=500)
    assert isinstance(send(), NotSent)


def test_text_over_the_limit_never_leaves(send: Any, meta: Meta) -> None:
    assert isinstance(send("ä" * 500), Sent)
    assert isinstance(send("ä" * 501), Rejected)
    assert len(meta.calls("send")) == 1


@pytest.mark.parametrize("kind", [kind for kind in MessageKind if kind is not MessageKind.TEXT])
def test_what_cannot_be_sent_is_refused_with_a_sentence(send: Any, meta: Meta, kind: MessageKind) -> None:
    assert "can't be sent" in send(kind=kind).problem.sentence
    assert meta.calls("send") == []


def test_text_no_wire_can_carry_is_mended(send: Any, meta: Meta) -> None:
    assert isinstance(send("a\ud800b"), Sent)
    assert meta.sent()[0]["text"] == "a\ufffdb"


def test_credentials_that_cannot_be_read_hold_the_queue(send: Any) -> None:
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    answer = send()
    assert isinstance(answer, Held)
    assert "reconnect" in answer.problem.next_step


# Looking for a message nobody confirmed


@pytest.fixture
def search(adapter: Any, account: AccountRef) -> Any:
    def run(text: str, *, since: timedelta = timedelta(), **changes: Any) -> Any:
        request = SearchRequest(
            account=account,
            recipient=ANA,
            part=OutgoingPart(MessageKind.TEXT, text=text),
            message_key="f" * 32,
            attempted_at=clock.now() - since,
            **changes,
        )
        return adapter.search(request)

    return run


def test_a_message_that_was_sent_is_found_by_text_and_time(send: Any, search: Any, meta: Meta) -> None:
    meta.fault("send", "garbage")
    assert isinstance(send("It was   sent\n"), Unknown)
    assert search("It was sent") == Found(meta.sent()[0]["mid"])


def test_a_message_that_was_not_sent_is_absent(send: Any, search: Any) -> None:
    send("Something else")
    assert search("It was sent") == Absent()


def test_the_customers_same_words_are_not_ours(send: Any, search: Any, meta: Meta) -> None:
    meta.wrote(text="ok")
    assert search("ok") == Absent()


def test_the_same_words_at_another_time_are_not_said_to_be_absent_unless_they_are_known(
    send: Any, search: Any, meta: Meta
) -> None:
    """This machine's clock may have been wrong then: sending twice is worse than asking a person."""
    first = send("ok")
    for since in (timedelta(minutes=-61), timedelta(minutes=61)):  # its clock was ahead, or late
        assert isinstance(search("ok", since=since), CannotTell)
        assert search("ok", since=since, known=frozenset({first.external_id})) == Absent()
        assert search("fine", since=since) == Absent()
    assert search("ok", since=timedelta(hours=-3)) == Absent()


def test_the_customers_same_words_at_another_time_are_not_ours(search: Any, meta: Meta) -> None:
    meta.wrote(text="ok")
    assert search("ok", since=timedelta(minutes=-61)) == Absent()


def test_the_same_words_recorded_already_are_not_meant(send: Any, search: Any) -> None:
    first, second = send("ok"), send("ok")
    assert search("ok", known=frozenset({first.external_id})) == Found(second.external_id)
    assert search("ok", known=frozenset({first.external_id, second.external_id})) == Absent()


def test_a_thread_that_has_moved_on_cannot_tell(send: Any, search: Any, meta: Meta) -> None:
    for number in range(25):
        meta.wrote(text=f"and another thing {number}")
    assert isinstance(search("ok", since=timedelta(minutes=5)), CannotTell)


def test_no_thread_cannot_tell(adapter: Any, search: Any, meta: Meta) -> None:
    assert isinstance(search("ok"), CannotTell)


def test_a_reading_that_is_refused_for_now_is_done_again(send: Any, search: Any, meta: Meta) -> None:
    send("ok")
    meta.fault("conversations", "error", code=613, times=1)
    limited = search("ok")
    assert isinstance(limited, Pause)
    assert (limited.seconds, limited.whole_account) == (60, True)
    meta.fault("conversations", "error", status=500, times=1)
    broken = search("ok")
    assert isinstance(broken, Pause)
    assert not broken.whole_account
    meta.fault("conversations", "error", status=429, times=1)
    assert not search("ok").whole_account
    meta.fault("conversations", "error", code=2, times=1)
    assert search("ok").seconds < broken.seconds, "Meta says that it failed for a moment"
    meta.fault("conversations", "reset", times=2)
    assert isinstance(search("ok"), Pause)


def test_a_limit_of_the_app_met_while_reading_stops_all_its_accounts(
    ig: Addon, send: Any, search: Any, meta: Meta
) -> None:
    other = world.connect(ig, world.STUDIO)
    meta.fault("conversations", "error", code=4)
    assert search("ok").other_accounts == (other.id,)


def test_a_dead_token_met_while_reading_holds_the_account(send: Any, search: Any, meta: Meta) -> None:
    token = meta.token("pottery-long")
    token.valid, token.subcode = False, 463
    assert isinstance(search("ok"), Held)


@pytest.mark.parametrize(("code", "answer"), [(10, Held), (100, CannotTell), (200, Held)])
def test_a_thread_that_may_not_be_read_cannot_tell(
    send: Any, search: Any, meta: Meta, code: int, answer: type
) -> None:
    meta.fault("conversations", "error", code=code)
    assert isinstance(search("ok"), answer)  # held: the right to read is missing for all of them


def test_a_garbled_thread_cannot_tell(send: Any, search: Any, meta: Meta) -> None:
    meta.fault("conversations", "garbage", text='{"data":[{"id":7}]}')
    assert isinstance(search("ok"), CannotTell)


# Who somebody is


def test_a_profile_is_what_meta_tells(adapter: Any, account: AccountRef, meta: Meta) -> None:
    meta.wrote()
    assert adapter.fetch_profile(account, ANA) == Profile(
        name="Ana Q.",
        username="ana.sample",
        facts={"verified": False, "followers": 1234, "follows_us": False, "we_follow": False},
        picture_url=f"{meta.server.url}/media/profile/{ANA}.png",
    )


def test_a_person_without_a_name_has_none(adapter: Any, account: AccountRef, meta: Meta) -> None:
    meta.wrote()
    meta.box.world.customers[ANA].name = None
    found = adapter.fetch_profile(account, ANA)
    assert (found.name, found.username) == (None, "ana.sample")


@pytest.mark.parametrize(
    ("code", "retry"), [(100, False), (190, True), (230, True), (9010, False), (613, True)]
)
def test_a_profile_that_is_refused_costs_a_name_only(
    adapter: Any, account: AccountRef, meta: Meta, code: int, retry: bool
) -> None:
    meta.wrote()
    meta.fault("profile", "error", code=code)
    found = adapter.fetch_profile(account, ANA)
    assert isinstance(found, NoProfile)
    assert found.retry is retry
    assert str(code) in found.reason


def people(meta: Meta, count: int) -> list[str]:
    """Let customers have written who are like Ana."""
    meta.wrote()
    ids = [str(1026000000100000 + number) for number in range(count)]
    for number, igsid in enumerate(ids):
        ana = meta.box.world.customers[ANA]
        meta.box.world.customers[igsid] = replace(ana, igsid=igsid, name=f"N{number}", username=f"u{number}")
    return ids


def asked(meta: Meta) -> list[str]:
    """Return the requests for profiles in their order: ids, and ``batch``."""
    calls = [call for call in meta.entries("call") if call["call"] in {"profile", "batch"}]
    return [call["path"].strip("/") or "batch" for call in calls]


def names(found: Any) -> dict[str, str | None]:
    return {contact: getattr(one, "name", None) for contact, one in found.items()}


def test_profiles_of_several_are_asked_for_in_one_request(
    adapter: Any, account: AccountRef, meta: Meta
) -> None:
    ids = people(meta, 10)
    meta.box.world.apps[seed.APP_ID].require_proof = True
    found = adapter.fetch_profiles(account, ids)
    assert names(found) == {igsid: f"N{number}" for number, igsid in enumerate(ids)}
    assert found[ids[3]] == adapter.fetch_profile(account, ids[3])
    assert asked(meta) == [*ids, "batch", ids[3]]


def test_one_who_is_refused_takes_nobody_down(adapter: Any, account: AccountRef, meta: Meta) -> None:
    ids = people(meta, 10)
    meta.box.world.customers[ids[2]].consent = "denied"
    meta.fault("profile", "error", status=403, code=10, match={"customer": ids[5]})
    meta.fault("profile", "timeout", seconds=0.01, match={"customer": ids[7]})
    meta.fault("profile", "garbage", match={"customer": ids[8]})
    found = adapter.fetch_profiles(account, [*ids, "no id"])
    missing = {ids[5], ids[7], ids[8]}
    assert set(found) == set(ids) - missing, "the host asks for these alone"
    refused = found[ids[2]]
    assert isinstance(refused, NoProfile)
    assert refused.retry, "the next message gives consent"
    assert names(found)[ids[9]] == "N9"
    assert asked(meta).count("batch") == 1


@pytest.mark.parametrize(("code", "waits"), [(4, True), (190, False)])
def test_an_error_of_the_whole_account_is_not_asked_for_again_one_by_one(
    adapter: Any, account: AccountRef, meta: Meta, code: int, waits: bool
) -> None:
    ids = people(meta, 3)
    meta.fault("profile", "error", code=code)
    found = adapter.fetch_profiles(account, ids)
    assert set(found) == set(ids)
    assert all(isinstance(one, NoProfile) and one.retry for one in found.values())
    assert {one.retry_after is not None for one in found.values()} == {waits}


def test_a_token_that_ended_is_told_for_all_at_once(adapter: Any, account: AccountRef, meta: Meta) -> None:
    ids = people(meta, 3)
    meta.token("pottery-long").valid = False
    found = adapter.fetch_profiles(account, ids)
    assert set(found) == set(ids)
    assert all(isinstance(one, NoProfile) and "190" in one.reason for one in found.values())


@pytest.mark.parametrize(
    "body", [b"[]", b"[null,null]", b'{"error":{"code":100}}', b"<html>", b'[7,{"a":1}]']
)
def test_if_meta_answers_no_batches_each_is_asked_for_alone(
    adapter: Any, account: AccountRef, meta: Meta, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    ids = people(meta, 2)
    answer = Response(400 if b"error" in body else 200, {}, body)
    monkeypatch.setattr(Client, "request", lambda *_, **__: answer)
    assert adapter.fetch_profiles(account, ids) == {}


def test_by_instagram_login_they_are_asked_for_one_after_the_other(
    ig: Addon, desk: db.Database, adapter: Any, meta: Meta
) -> None:
    token = Secret(meta.token("pottery-instagram").value)
    login = world.connect(ig, flavour=ig.config.Flavour.LOGIN, way="instagram", page_id="", token=token)
    ids = people(meta, 3)
    found = adapter.fetch_profiles(login, ids)
    assert names(found) == {igsid: f"N{number}" for number, igsid in enumerate(ids)}
    assert asked(meta) == ids
    meta.fault("profile", "error", code=4, match={"customer": ids[1]})
    found = adapter.fetch_profiles(login, ids)
    assert list(found) == ids[:2], "after a limit nobody else is asked for"
    assert found[ids[1]].retry_after is not None


def test_somebody_who_never_wrote_has_no_profile_yet(adapter: Any, account: AccountRef, meta: Meta) -> None:
    found = adapter.fetch_profile(account, KIT)
    assert isinstance(found, NoProfile)
    assert found.retry


@pytest.mark.parametrize("contact", ["", "../me", "12/subscribed_apps", "١٢٣", "a b"])
def test_only_an_id_is_asked_for(adapter: Any, account: AccountRef, meta: Meta, contact: str) -> None:
    assert isinstance(adapter.fetch_profile(account, contact), NoProfile)
    assert meta.entries("call") == []


def test_a_contact_nobody_named_is_called_by_the_end_of_its_id(adapter: Any) -> None:
    assert adapter.contact_label(ANA) == "Instagram user …0001"
