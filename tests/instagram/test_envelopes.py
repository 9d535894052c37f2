"""Cutting a verified delivery into envelopes, whatever it looks like; one bad event costs no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.core import clock
from host.sdk.testing import check_changes, junk_bodies
from host.sdk.webhooks import Envelope
from tests.instagram import world
from tests.instagram.world import ANA, KIT, POTTERY, Addon, entry, item, message, payload

SECRET = b"the secret"
BOUND = {"account_id": 5, "ig_user_id": POTTERY, "live": True, "secret": SECRET, "verify_token": b""}


@pytest.fixture
def book(ig: Addon) -> Any:
    bound = ig.accounts.Bound(**BOUND)
    return ig.accounts.Book(by_id={POTTERY.encode(): (bound,)}, by_account={POTTERY: (bound,)})


@pytest.fixture
def cut(ig: Addon, book: Any) -> Any:
    def run(body: bytes) -> list[Envelope]:
        return list(ig.webhook.envelopes.cut(body, book, SECRET))

    return run


def test_a_batch_becomes_one_envelope_per_event_in_order(cut: Any) -> None:
    body = payload(
        entry(message(mid="1"), message(mid="2", sender=KIT)),
        entry(message(mid="3"), container="standby"),
        entry(
            {"field": "comments", "value": {"id": "9", "from": {"id": ANA}, "text": "a"}}, container="changes"
        ),
    )
    found = cut(body)
    assert [each.dedupe_key.partition(":")[2] for each in found[:3]] == ["1", "2", "3"]
    assert [each.kind for each in found] == ["message", "message", "message", "comments"]
    assert [each.lane for each in found] == [ANA, KIT, ANA, ANA]
    assert {each.account_id for each in found} == {5}


def test_a_thousand_updates_are_a_thousand_envelopes(cut: Any) -> None:
    body = payload(entry(*(message(mid=str(number)) for number in range(1000))))
    assert len({each.dedupe_key for each in cut(body)}) == 1000


def test_an_echo_is_in_the_lane_of_its_customer(cut: Any) -> None:
    marked, unmarked = cut(
        payload(entry(world.echo(), item(ANA, POTTERY, message={"mid": "2", "text": "a"})))
    )
    assert (marked.kind, marked.lane) == ("echo", ANA)
    assert (unmarked.kind, unmarked.lane) == ("echo", ANA)


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({"message": {"mid": "m1", "text": "a"}}, "message:m1"),
        ({"message": {"mid": "m1", "is_deleted": True}}, "unsend:m1"),
        ({"postback": {"mid": "m1", "title": "a"}}, "postback:m1"),
        ({"message_edit": {"mid": "m1", "text": "a", "num_edit": 2}}, "edit:m1:2"),
        (
            {"reaction": {"mid": "m1", "action": "react", "reaction": "love"}, "timestamp": 1760000000000},
            f"reaction:m1:{ANA}:react:love:1760000000000",
        ),
    ],
)
def test_what_makes_a_redelivery_the_same_event(cut: Any, event: dict[str, Any], key: str) -> None:
    (found,) = cut(payload(entry(item(**event))))
    assert found.dedupe_key == key


def test_other_events_are_told_apart_by_their_content(cut: Any) -> None:
    one = item(read={"mid": "a"}, timestamp=1)
    same = dict(reversed(list(one.items())))
    other = item(read={"mid": "b"}, timestamp=1)
    first, again, different = (cut(payload(entry(each)))[0].dedupe_key for each in (one, same, other))
    assert first == again != different


def test_an_edit_and_a_second_edit_are_two_events(cut: Any) -> None:
    edits = [item(message_edit={"mid": "m", "text": "a", "num_edit": number}) for number in (1, 2)]
    assert len({each.dedupe_key for each in cut(payload(entry(*edits)))}) == 2


def test_an_event_of_nobody_is_set_aside_and_does_not_block_a_real_one(cut: Any) -> None:
    stranger, mine = cut(payload(entry(message(), igid="17841499999999999"), entry(message())))
    assert stranger.account_id is None
    assert "no connected account" in stranger.set_aside
    assert stranger.dedupe_key != mine.dedupe_key


@pytest.mark.parametrize("shape", ["messaging", "changes"])
def test_the_dashboards_test_is_taken_and_makes_no_conversation(cut: Any, shape: str) -> None:
    value = {
        "sender": {"id": "12334"},
        "recipient": {"id": "23245"},
        "timestamp": "1527459824",
        "message": {"mid": "random_mid", "text": "random_text"},
    }
    inner = value if shape == "messaging" else {"field": "messages", "value": value}
    (first,) = cut(payload({"id": "0", "time": 1760000005, shape: [inner]}))
    (second,) = cut(payload({"id": "0", "time": 1760000009, shape: [inner]}))
    assert (first.account_id, first.kind, first.set_aside) == (None, "test", "")
    assert first.ignored.startswith("Test received")
    assert first.dedupe_key != second.dedupe_key, "each press of the button is seen"


def test_a_change_that_wraps_a_message_is_that_message(cut: Any, ig: Addon) -> None:
    (found,) = cut(payload(entry({"field": "messages", "value": message(mid="w")}, container="changes")))
    assert (found.account_id, found.kind, found.dedupe_key) == (5, "message", "message:w")
    (change,) = ig.webhook.events.parse(found)
    assert change.text == "Hi, is this in stock?"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{}",
        b"[]",
        b'{"entry":[]}',
        b'{"object":"instagram"}',
        b'{"entry":[',
        b'{"entry":7}',
        b"\xff\xfe",
        b'"entry"',
        b"[" * 50_000,
    ],
)
def test_a_body_nobody_can_read_is_one_envelope_that_says_so(cut: Any, ig: Addon, body: bytes) -> None:
    (found,) = cut(body)
    assert found.account_id is None
    assert found.set_aside
    check_changes(ig.webhook.events.parse(found))


ODD = [
    b'{"sender":{"id":"1"},"message":{"mid":"x","text":"a","n":NaN}}',
    b'{"sender":{"id":"1"},"message":{"mid":"x","text":"\\ud800 lone"}}',
    b'{"sender":{"id":"1"},"message":{"mid":"x","text":"\xff"}}',
    b'{"sender":{"id":"1"},"message":{"mid":"x","n":' + b"9" * 6000 + b"}}",
    b'{"sender":{"id":"1"},"message":' + b'{"a":' * 4000 + b"1" + b"}" * 4000 + b"}",
    b'{"sender":{"id":"1"},"message":{"mid":"x","n":1e999}}',
    b'{"sender":{"id":"1","id":"2"},"message":{"mid":"x"},"message":{"mid":"y"}}',
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"{}",
    b'{"sender":null,"message":{"mid":"x"}}',
    b'{"message":{"mid":"x"}}',
    b'{"sender":{"id":{}},"message":[]}',
    b"{bad json}",
    b'{"sender":{"id":"1"},"message":{"mid":"x","text":"a\tb\x00"}}',
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_event_costs_its_neighbours_nothing(cut: Any, ig: Addon, odd: bytes) -> None:
    before, after = message(mid="before"), message(mid="after")
    raw = b'{"object":"instagram","entry":[{"id":"%s","time":1,"messaging":[%s,%s,%s]}]}' % (
        POTTERY.encode(),
        json.dumps(before).encode(),
        odd,
        json.dumps(after).encode(),
    )
    found = cut(raw)
    assert [each.dedupe_key for each in (found[0], found[-1])] == ["message:before", "message:after"]
    assert len(found) == 3
    for each in found:
        check_changes(ig.webhook.events.parse(each))
    assert [change.text for change in ig.webhook.events.parse(found[0])] == ["Hi, is this in stock?"]


def test_an_event_nested_too_deeply_is_set_aside_with_its_reason(cut: Any) -> None:
    deep = b'{"sender":{"id":"1"},"message":' + b'{"a":' * 4000 + b"1" + b"}" * 4000 + b"}"
    (found,) = cut(b'{"entry":[{"id":"%s","messaging":[%s]}]}' % (POTTERY.encode(), deep))
    assert found.account_id == 5
    assert "not readable" in found.set_aside


def test_a_message_without_a_sender_is_set_aside(cut: Any) -> None:
    (found,) = cut(payload(entry({"message": {"mid": "x", "text": "a"}})))
    assert "names no customer" in found.set_aside


@pytest.mark.parametrize(
    "shape",
    [
        lambda body: b"[" + body + b"]",
        lambda body: body.replace(f'"id":"{POTTERY}","time"'.encode(), f'"id":{POTTERY},"time"'.encode()),
        lambda body: body.replace(f'"id":"{ANA}"'.encode(), f'"id":{ANA}'.encode()),
        lambda body: body.replace(b'"object":"instagram"', b'"object":"page"'),
        lambda body: body.replace(b'"entry":[', b'"entry":[{"id":"1"},'),
        lambda body: body.replace(b":", b" :\n ").replace(b",", b" ,\t"),
        lambda body: b"\n " + body + b" \n",
        lambda body: body.replace(b'"time"', b'"time":NaN,"time"'),
    ],
)
def test_shapes_meta_has_been_seen_to_send_are_understood(cut: Any, ig: Addon, shape: Any) -> None:
    body = json.dumps(
        {"object": "instagram", "entry": [entry(message(mid="m1"))]}, separators=(",", ":")
    ).encode()
    found = [each for each in cut(shape(body)) if each.account_id == 5]
    assert [(each.lane, each.dedupe_key) for each in found] == [(ANA, "message:m1")]
    (change,) = ig.webhook.events.parse(found[0])
    assert (change.contact, change.external_id) == (ANA, "m1")


def test_a_flat_change_and_a_single_event_instead_of_a_list_are_understood(cut: Any) -> None:
    flat, single = cut(
        payload(
            {"id": POTTERY, "time": 1, "field": "comments", "value": {"id": "9", "from": {"id": ANA}}},
            {"id": POTTERY, "time": 1, "messaging": message(mid="s")},
        )
    )
    assert (flat.kind, flat.lane) == ("comments", ANA)
    assert single.dedupe_key == "message:s"


def test_repeated_containers_lose_nothing(cut: Any) -> None:
    raw = b'{"entry":[{"id":%s,"messaging":[%s],"messaging":[%s]}]}' % (
        POTTERY.encode(),
        json.dumps(message(mid="a")).encode(),
        json.dumps(message(mid="b")).encode(),
    )
    assert [each.dedupe_key for each in cut(raw)] == ["message:a", "message:b"]


AT = datetime(2025, 10, 9, 8, 53, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        (1760000001321, AT + timedelta(milliseconds=321)),
        (1760000001, AT),
        ("1760000001321", AT + timedelta(milliseconds=321)),
        ("1760000001", AT),
        ("2025-10-09T08:53:21+0000", AT),
        (1760000001.0, AT),
    ],
)
def test_times_come_in_many_clothes(cut: Any, ig: Addon, stamp: object, at: datetime) -> None:
    (found,) = cut(payload(entry(message() | {"timestamp": stamp})))
    assert found.occurred_at == at
    (change,) = ig.webhook.events.parse(found)
    assert change.sent_at == at


@pytest.mark.parametrize("stamp", [None, "", "soon", -1, 0, 10**30, [], True, "9" * 40, 32503680000000])
def test_an_impossible_time_becomes_the_time_of_the_delivery(cut: Any, stamp: object) -> None:
    before = clock.now()
    (found,) = cut(payload(entry(message() | {"timestamp": stamp}, time=1760000001321)))
    assert found.occurred_at == AT + timedelta(milliseconds=321)
    (found,) = cut(payload(entry(message() | {"timestamp": stamp}, time=None)))
    assert found.occurred_at is not None
    assert before <= found.occurred_at <= clock.now()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(exclude_categories=()))
    | st.sampled_from([POTTERY, ANA, "0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "sender",
                    "recipient",
                    "message",
                    "mid",
                    "text",
                    "attachments",
                    "type",
                    "payload",
                    "url",
                    "is_echo",
                    "timestamp",
                    "read",
                    "reaction",
                    "postback",
                    "reply_to",
                    "story",
                    "quick_reply",
                    "referral",
                    "value",
                    "field",
                    "from",
                    "entry",
                    "messaging",
                    "changes",
                    "standby",
                    "time",
                    "is_self",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(tree=JSON)
def test_no_json_at_all_raises_or_makes_a_change_that_cannot_be_stored(ig: Addon, tree: Any) -> None:
    bound = ig.accounts.Bound(**BOUND)
    book = ig.accounts.Book(by_account={POTTERY: (bound,)})
    for body in (
        json.dumps(tree).encode(),
        json.dumps({"entry": tree}).encode(),
        json.dumps({"entry": [{"id": POTTERY, "messaging": tree}]}).encode(),
        json.dumps({"entry": [{"id": POTTERY, "changes": [tree]}]}).encode(),
    ):
        found = ig.webhook.envelopes.cut(body, book, SECRET)
        assert found
        for each in found:
            assert each.dedupe_key.encode()
            assert each.lane.encode() is not None
            assert 0 < len(each.kind) <= 48
            assert each.kind.isascii()
            (each.set_aside + each.ignored).encode()
            check_changes(ig.webhook.events.parse(each))


def test_junk_never_raises(ig: Addon, cut: Any) -> None:
    for body in junk_bodies([payload(entry(event)) for event in world.EVERY_EVENT[:6]], count=200):
        for each in cut(body):
            check_changes(ig.webhook.events.parse(each))
