"""What rules of a workspace may ask and do on Instagram."""

from __future__ import annotations

from typing import Any

import pytest

from host.sdk.channel import AccountRef
from host.sdk.messages import MessageKind
from host.sdk.rules import AskedAbout, React
from tests.instagram.world import Addon

AD = {"source": "ADS", "type": "OPEN_THREAD", "ad_id": "6045246247433"}
LINK = {"source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD", "ref": "flyer-7"}
PRODUCT = {"product": {"id": "4381572605000001"}}


def about(
    kind: str = "text", profile: dict[str, Any] | None = None, content: dict[str, Any] | None = None
) -> AskedAbout:
    account = AccountRef(1, "u", 1, "instagram", "17841400000000001", "Pottery", "sample.pottery", {})
    return AskedAbout(account, kind, "Hello", content or {}, profile or {})


@pytest.mark.parametrize(
    ("name", "value", "profile", "wanted"),
    [
        ("follows", "", {"follows_us": True}, True),
        ("follows", "", {"follows_us": False}, False),
        ("follows", "", {}, False),
        ("follows", "", {"follows_us": "yes"}, False),
        ("verified", "", {"verified": True}, True),
        ("verified", "", {"verified": None}, False),
        ("followers", "1000", {"followers": 1000}, True),
        ("followers", "10000", {"followers": 9999}, False),
        ("followers", "1000", {}, False),
        ("followers", "1000", {"followers": "5000"}, False),
        ("followers", "", {"followers": 5000}, False),
        ("followers", "many", {"followers": 5000}, False),
    ],
)
def test_what_is_known_of_the_customer(
    ig: Addon, name: str, value: str, profile: dict[str, Any], wanted: bool
) -> None:
    (condition,) = (one for one in ig.rules.CONDITIONS if one.name == f"instagram.{name}")
    assert condition.holds(about(profile=profile), value) is wanted


@pytest.mark.parametrize(
    ("content", "ad", "link"),
    [
        ({"referral": AD}, True, False),
        ({"referral": {**AD, "source": "ads", "ref": "spring"}}, True, False),
        ({"referral": LINK}, False, True),
        ({"referral": {"ref": "flyer-7"}}, False, True),
        ({"referral": {"source": "IGME-SOURCE-LINK"}}, False, True),
        ({"referral": PRODUCT}, False, False),
        ({"referral": "ADS"}, False, False),
        ({}, False, False),
    ],
    ids=["ad", "ad with a word", "link", "no source", "no word", "product", "no object", "none"],
)
def test_how_they_came(ig: Addon, content: dict[str, Any], ad: bool, link: bool) -> None:
    (came_from,) = (one for one in ig.rules.CONDITIONS if one.name == "instagram.came_from")
    assert [value for value, _words in came_from.choices] == ["ad", "link"]
    assert came_from.holds(about(content=content), "ad") is ad
    assert came_from.holds(about(content=content), "link") is link


NOTHING_TO_REACT_TO = {
    *("", MessageKind.REACTION, MessageKind.REFERRAL, MessageKind.OPT_IN, MessageKind.FEEDBACK),
    *(MessageKind.POSTBACK, MessageKind.EDIT, MessageKind.UNSEND),
}


@pytest.mark.parametrize("kind", ["", *MessageKind])
def test_a_heart_goes_to_what_they_sent(ig: Addon, kind: str) -> None:
    (heart,) = ig.rules.ACTIONS
    planned = heart.plan(about(kind))
    if kind in NOTHING_TO_REACT_TO:
        assert planned is None
    else:
        assert planned == React(ig.capabilities.HEART)
        assert planned.emoji in ig.capabilities.CAPABILITIES.reactions
