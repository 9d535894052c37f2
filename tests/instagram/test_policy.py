"""How long one may reply, as whom, and what is said when not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from host.core.backports.values import replace
from host.sdk.channel import AccountRef, ReplyContext, ReplyPolicy, ReplyState
from tests.instagram.world import POTTERY, Addon

WROTE = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPEN, PEOPLE, CLOSED = ReplyState.OPEN, ReplyState.PEOPLE_ONLY, ReplyState.CLOSED
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def policy(ig: Addon) -> Any:
    def run(after: timedelta | None, *, human_agent: object = False, by_person: bool = True) -> ReplyPolicy:
        account = AccountRef(1, "u", 1, "instagram", POTTERY, "a", "@a", {"human_agent": human_agent})
        last = None if after is None else WROTE
        now = WROTE + (after or timedelta())
        found: ReplyPolicy = ig.channel.InstagramAdapter().reply_policy(
            ReplyContext(account, now, last, by_person)
        )
        return found

    return run


@pytest.mark.parametrize(
    ("after", "without", "with_human_agent"),
    [
        (timedelta(), OPEN, OPEN),
        (23 * HOUR, OPEN, OPEN),
        (DAY - INSTANT, OPEN, OPEN),
        (DAY, CLOSED, PEOPLE),
        (3 * DAY, CLOSED, PEOPLE),
        (7 * DAY - INSTANT, CLOSED, PEOPLE),
        (7 * DAY, CLOSED, CLOSED),
        (400 * DAY, CLOSED, CLOSED),
    ],
)
def test_the_window_by_the_clock(
    policy: Any, after: timedelta, without: ReplyState, with_human_agent: ReplyState
) -> None:
    assert policy(after).state is without
    assert policy(after, human_agent=True).state is with_human_agent


def test_nobody_can_write_first(policy: Any) -> None:
    found = policy(None, human_agent=True)
    assert (found.state, found.until, found.phases) == (CLOSED, None, ())
    assert "only the customer can start" in found.sentence


def test_inside_a_day_nothing_is_tagged(policy: Any) -> None:
    found = policy(HOUR, human_agent=True)
    assert (found.tag, found.until, found.sentence) == (None, WROTE + DAY, "")


def test_later_a_persons_reply_carries_the_tag_and_says_so(policy: Any) -> None:
    found = policy(2 * DAY, human_agent=True)
    assert (found.tag, found.until) == ("HUMAN_AGENT", WROTE + 7 * DAY)
    assert "only a person" in found.sentence


def test_a_machine_never_gets_the_tag(policy: Any) -> None:
    found = policy(2 * DAY, human_agent=True, by_person=False)
    assert (found.state, found.tag) == (PEOPLE, None)


@pytest.mark.parametrize("value", [None, "", 0, "1", 1, "yes"])
def test_the_setting_is_on_only_where_somebody_switched_it_on(policy: Any, value: object) -> None:
    assert policy(2 * DAY, human_agent=value).state is CLOSED


def test_a_closed_window_says_why_and_when_it_opens(policy: Any) -> None:
    assert "24 hours" in policy(2 * DAY).sentence
    assert "7 days" in policy(8 * DAY, human_agent=True).sentence


def test_the_clocks_show_the_whole_window(policy: Any) -> None:
    assert [(each.state, each.until) for each in policy(HOUR).phases] == [(OPEN, WROTE + DAY)]
    assert [(each.state, each.since, each.until) for each in policy(2 * DAY, human_agent=True).phases] == [
        (OPEN, WROTE, WROTE + DAY),
        (PEOPLE, WROTE + DAY, WROTE + 7 * DAY),
    ]


def test_one_writes_to_an_account_at_its_own_address(ig: Any) -> None:
    account = AccountRef(1, "u", 1, "instagram", "178", "Sample Pottery", "@sample.pottery", {})
    adapter = ig.channel.InstagramAdapter()
    assert adapter.write_url(account) == "https://ig.me/m/sample.pottery"
    assert adapter.write_url(replace(account, handle="")) is None
