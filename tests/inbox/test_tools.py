"""The composer's tools follow from the channel's declaration."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.core import db
from host.inbox.pages.composer import EMOJI, NO_TOOLS, tools_of, type_names, words
from host.sdk.capabilities import MEDIA_KINDS
from host.sdk.channel import Capabilities, MediaLimits
from host.sdk.messages import MessageKind
from tests import helpers
from tests.inbox import toys


@pytest.fixture
def speaking(database: db.Database, data: object) -> Iterator[None]:
    with helpers.build_app(data).test_request_context():  # type: ignore[arg-type]
        yield


def test_a_channel_that_declares_nothing_has_no_tools(speaking: None) -> None:
    assert tools_of(Capabilities(), {}) == NO_TOOLS
    assert not NO_TOOLS.any


def test_the_words_of_the_scripts_are_about_the_tools(speaking: None) -> None:
    plain, rich = words(NO_TOOLS), words(tools_of(toys.Rich.capabilities, {}))
    assert set(plain) < set(rich)
    assert {"no-post", "no-id", "twice", "buttons-or-quick", "button-long"}.isdisjoint(plain)
    assert {"no-post", "no-id", "twice", "button-long"} <= set(rich)
    assert "wrong-file" in plain


def test_each_tool_comes_from_its_declaration(speaking: None) -> None:
    tools = tools_of(toys.Rich.capabilities, {})
    assert {rule["kind"] for rule in tools.files} == {str(kind) for kind in MEDIA_KINDS}
    image = tools.files[0]
    assert image["types"] == ["image/jpeg", "image/png"]
    assert image["extensions"] == ["jpg", "jpeg", "png"]
    assert image["wrong_type"] == "Images on this channel must be JPEG or PNG."
    assert image["too_large"] == "It is {size}; images on this channel can be up to 2 MB."
    assert "image/png" in tools.accept
    assert ".pdf" in tools.accept
    assert tools.voice_bytes == 4 * 1024 * 1024
    assert tools.quick_replies == {"most": 3, "title": 20}
    assert tools.cards is not None
    assert tools.cards["buttons"] == 2
    assert (tools.products, tools.own_post, tools.heart, tools.quote, tools.typing) == (
        2,
        True,
        True,
        True,
        True,
    )
    assert (tools.location, tools.contacts) == (True, True)
    assert tools.reactions == EMOJI


@pytest.mark.parametrize(
    ("types", "made"),
    [
        ({"audio/mp4"}, ""),
        ({"audio/mp4", "audio/ogg"}, "audio/ogg"),
        ({"audio/ogg", "audio/wav"}, "audio/wav"),
        (set(), "audio/wav"),
    ],
)
def test_voice_notes_are_of_a_type_that_the_channel_takes(speaking: None, types: set[str], made: str) -> None:
    media = {MessageKind.AUDIO: MediaLimits(frozenset(types), 1024)}
    tools = tools_of(Capabilities(media=media), {})
    assert (tools.voice_type, tools.voice_bytes) == (made, 1024 if made else None)
    assert tools.files


def test_the_picker_offers_what_is_allowed_the_usual_ones_first(speaking: None) -> None:
    allowed = frozenset({"\U0001f600", EMOJI[2], EMOJI[0]})
    assert tools_of(Capabilities(reactions=allowed), {}).reactions == (EMOJI[0], EMOJI[2], "\U0001f600")
    assert tools_of(Capabilities(reactions=None), {}).reactions == ()


def test_typing_can_be_switched_off_for_an_account(speaking: None) -> None:
    assert not tools_of(toys.Rich.capabilities, {"typing": False}).typing


def test_the_signature_changes_with_the_tools_and_only_then(speaking: None) -> None:
    rich = toys.Rich.capabilities
    assert tools_of(rich, {}).signature == tools_of(rich, {}).signature
    assert tools_of(rich, {}).signature != tools_of(rich, {"typing": False}).signature


def test_types_are_told_as_people_call_them(speaking: None) -> None:
    assert type_names(frozenset({"audio/wav"})) == "WAV"
    assert type_names(frozenset({"image/png", "image/jpeg", "image/gif"})) == "GIF, JPEG or PNG"
    assert type_names(frozenset({"image/x-new"})) == "image/x-new"
