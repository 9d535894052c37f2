"""How fast an account may call: what counts against which limit, and what Meta says while answering."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.core import clock
from host.sdk import settings
from host.sdk.channel import AccountRef, Pause, ReactRequest, SearchRequest, SendRequest, Sent
from host.sdk.messages import MessageKind, OutgoingPart
from tests.instagram import world
from tests.instagram.world import ANA, Addon, Meta


def part(kind: MessageKind = MessageKind.TEXT) -> OutgoingPart:
    return OutgoingPart(kind, text="hello" if kind is MessageKind.TEXT else "")


def request(account: AccountRef, kind: MessageKind = MessageKind.TEXT, recipient: str = ANA) -> SendRequest:
    return SendRequest(account, recipient, part(kind), "f" * 32)


def told(limits: Any) -> list[tuple[str, int, int, bool]]:
    return [(one.key, one.amount, one.seconds, one.whole_account) for one in limits]


@pytest.fixture
def adapter(ig: Addon, account: AccountRef) -> Any:
    return ig.channel.InstagramAdapter()


def test_a_message_counts_for_its_account_and_its_customer(adapter: Any, account: AccountRef) -> None:
    assert told(adapter.limits(request(account))) == [
        (f"account {account.id}", 100, 1, True),
        (f"customer {account.id} {ANA}", 200, 3600, False),
    ]


@pytest.mark.parametrize("kind", [MessageKind.AUDIO, MessageKind.VIDEO])
def test_audio_and_video_count_twice(adapter: Any, account: AccountRef, kind: MessageKind) -> None:
    assert (f"media {account.id}", 10, 1, False) in told(adapter.limits(request(account, kind)))
    assert (f"account {account.id}", 100, 1, True) in told(adapter.limits(request(account, kind)))
    assert "media" not in str(adapter.limits(request(account, MessageKind.IMAGE)))


def test_a_reaction_counts_for_the_account_and_a_look_up_for_itself(
    adapter: Any, account: AccountRef
) -> None:
    react = ReactRequest(account, ANA, "mid", "x")
    assert told(adapter.limits(react)) == [(f"account {account.id}", 100, 1, True)]
    search = SearchRequest(account, ANA, part(), "f" * 32, clock.now())
    assert told(adapter.limits(search)) == [(f"lookups {account.id}", 2, 1, False)]


def test_all_accounts_of_an_app_count_together_where_the_operator_says_so(
    ig: Addon, adapter: Any, account: AccountRef
) -> None:
    other = world.connect(ig, world.STUDIO)
    stranger = world.connect(ig, world.CAFE, app_id="77")
    settings.provide("instagram", {**ig.defaults, "sends_per_app_hour": "5000"})
    keys = [
        next(one for one in adapter.limits(request(each)) if one.seconds == 3600 and one.whole_account).key
        for each in (account, other, stranger)
    ]
    assert keys == [f"app {world.APP_ID}", f"app {world.APP_ID}", "app 77"]


def test_nought_counts_nothing_and_nonsense_what_is_usual(
    ig: Addon, adapter: Any, account: AccountRef
) -> None:
    none = dict.fromkeys(
        ("sends_per_second", "media_sends_per_second", "sends_per_customer_hour", "sends_per_app_hour"), "0"
    )
    settings.provide("instagram", {**ig.defaults, **none})
    assert adapter.limits(request(account, MessageKind.VIDEO)) == []
    settings.provide("instagram", {**ig.defaults, "sends_per_second": "many", "usage_percent": "-3"})
    assert told(adapter.limits(request(account)))[0][1] == 100


USUAL = {
    "sends_per_second": "100",
    "media_sends_per_second": "10",
    "sends_per_customer_hour": "200",
    "sends_per_app_hour": "0",
    "lookups_per_second": "2",
    "usage_percent": "95",
}


def test_the_defaults_in_code_are_those_of_the_manifest(ig: Addon, adapter: Any, account: AccountRef) -> None:
    assert {name: ig.defaults[name] for name in USUAL} == USUAL
    settings.provide("instagram", {**ig.defaults, **dict.fromkeys(USUAL, "none at all")})
    search = SearchRequest(account, ANA, part(), "f" * 32, clock.now())
    assert sorted(told(adapter.limits(request(account, MessageKind.VIDEO)))) == [
        (f"account {account.id}", 100, 1, True),
        (f"customer {account.id} {ANA}", 200, 3600, False),
        (f"media {account.id}", 10, 1, False),
    ]
    assert told(adapter.limits(search)) == [(f"lookups {account.id}", 2, 1, False)]
    found = ig.accounts.credentials(account.id)
    rests = [ig.pace.pause(found, ig.graph.read_usage(usage(percent, of="account"))) for percent in (94, 95)]
    assert [one is not None for one in rests] == [False, True]


def usage(percent: int, *, of: str, minutes: int = 0) -> dict[str, str]:
    if of == "app":
        return {"X-App-Usage": json.dumps({"call_count": percent, "total_time": 1, "total_cputime": 1})}
    facts = {"type": "instagram", "call_count": percent, "estimated_time_to_regain_access": minutes}
    return {"X-Business-Use-Case-Usage": json.dumps({world.POTTERY: [facts]})}


@pytest.mark.parametrize(
    ("said", "seconds", "stops_others"),
    [
        (usage(94, of="account"), None, False),
        (usage(95, of="account"), 60, False),
        (usage(99, of="account", minutes=7), 420, False),
        (usage(40, of="account", minutes=2), 120, False),
        (usage(94, of="app"), None, False),
        (usage(96, of="app"), 60, True),
    ],
)
def test_close_to_a_limit_the_account_rests_and_for_the_apps_all_of_them(
    ig: Addon, account: AccountRef, said: dict[str, str], seconds: float | None, stops_others: bool
) -> None:
    other = world.connect(ig, world.STUDIO)
    pause = ig.pace.pause(ig.accounts.credentials(account.id), ig.graph.read_usage(said))
    if seconds is None:
        assert pause is None
    else:
        assert (pause.seconds, pause.whole_account) == (seconds, True)
        assert pause.other_accounts == ((other.id,) if stops_others else ())
        assert "almost used up" in pause.problem.sentence


def test_usage_may_be_left_to_meta(ig: Addon, account: AccountRef) -> None:
    settings.provide("instagram", {**ig.defaults, "usage_percent": "0"})
    found = ig.accounts.credentials(account.id)
    assert ig.pace.pause(found, ig.graph.Usage(100, 60.0, 100)) is None


def test_usage_is_read_from_the_answer_to_a_message(adapter: Any, account: AccountRef, meta: Meta) -> None:
    meta.wrote()
    assert adapter.send(request(account)).pause is None
    meta.fault("send", "usage", percent=97, minutes=3)
    answer = adapter.send(request(account))
    assert isinstance(answer, Sent)
    assert isinstance(answer.pause, Pause)
    assert answer.pause.seconds == 180
    assert len(meta.sent()) == 2
