"""What customers can do on channels, and which channels of a workspace count."""

from __future__ import annotations

from typing import ClassVar

from host.channels import abilities
from host.sdk.channel import Capabilities, ChannelAdapter, IceBreakerLimits, QuickReplyLimits, Threading
from host.sdk.messages import MessageKind
from tests.channels.toy import ToyAdapter


def channel(name: str, capabilities: Capabilities, beside_: str = "") -> ChannelAdapter:
    class Channel(ToyAdapter):
        key: ClassVar[str] = name
        beside: ClassVar[str] = beside_

    Channel.capabilities = capabilities
    return Channel()


PLAIN = channel("plain", Capabilities())
STORIES = channel("stories", Capabilities(receives=frozenset(MessageKind), ads=True))
COMMENTS = channel("comments", Capabilities(threading=Threading.POST, public=True), "stories")


def test_a_channel_that_says_nothing_has_the_neutral_kinds() -> None:
    able = abilities.of([PLAIN])
    assert able.kinds == abilities.NEUTRAL
    assert {MessageKind.TEXT, MessageKind.IMAGE, MessageKind.FILE} <= able.kinds
    assert MessageKind.STORY_REPLY not in able.kinds
    assert (able.comments, able.ads, able.links, able.taps) == (False, False, False, False)
    assert abilities.of([]) == able, "without any channel, too"


def test_what_the_team_can_offer_can_be_tapped() -> None:
    quick = abilities.of([channel("quick", Capabilities(quick_replies=QuickReplyLimits(3, 20, 100)))])
    assert quick.kinds - abilities.NEUTRAL == {MessageKind.QUICK_REPLY}
    asked = abilities.of([channel("asked", Capabilities(ice_breakers=IceBreakerLimits(4, 80, 100)))])
    assert asked.kinds - abilities.NEUTRAL == {MessageKind.POSTBACK}
    assert quick.taps
    assert asked.taps


def test_what_a_channel_declares_is_all_it_has() -> None:
    able = abilities.of([channel("words", Capabilities(receives=frozenset({MessageKind.TEXT})))])
    assert able.kinds == {MessageKind.TEXT}


def test_only_the_channels_of_a_workspace_count_and_those_beside_them() -> None:
    every = (PLAIN, STORIES, COMMENTS)
    assert abilities.of_workspace(every, {"plain"}) == abilities.of([PLAIN])
    both = abilities.of_workspace(every, {"stories"})
    assert both.comments
    assert both.public
    assert both.kinds == frozenset(MessageKind)
    assert abilities.of_workspace(every, ()) == both, "without an account, every active channel counts"
    assert abilities.of_workspace(every, {"gone"}) == both
