"""A question for a phone number or email has the channel's own button, where it has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from host.sdk.capabilities import Ask as Detail
from host.sdk.capabilities import QuickReplyLimits
from host.sdk.messages import MessageKind
from host.sequences.body import Ask, End, Kind
from tests.inbox import toys
from tests.sequences.sequenced import Sequenced

NUMBER = Ask(id="number", text="On which number?", kind="phone", variable="number", again="A number, please")
LIMITS = QuickReplyLimits(most=5, title_length=20, payload_length=200, asks=frozenset({Detail.PHONE}))
ALONE = replace(LIMITS, ask_alone=True, ask_text_length=30)


def limit(monkeypatch: pytest.MonkeyPatch, limits: QuickReplyLimits) -> None:
    """Give the channel these quick replies."""
    monkeypatch.setattr(
        toys.Windowed, "capabilities", replace(toys.Windowed.capabilities, quick_replies=limits)
    )


def shared(desk: Sequenced, number: str) -> None:
    """The customer taps the channel's own button."""
    content: dict[str, Any] = {"payload": number, "ask": "phone"}
    desk.said(text=number, kind=MessageKind.QUICK_REPLY, content=content)
    desk.run()


def test_the_button_is_offered_and_what_they_share_is_the_answer(
    sequenced: Sequenced, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, ALONE)
    desk = sequenced
    desk.sequence(NUMBER, End(id="end"))
    desk.said(text="order")
    desk.run()
    assert desk.automatic() == ["On which number?"]
    assert desk.quick_replies() == [{"ask": "phone"}]
    shared(desk, "+4915112345678")
    assert (desk.answers(), desk.last.outcome) == ({"number": "+4915112345678"}, "done")


def test_it_stands_beside_a_person_where_the_channel_lets_it(
    sequenced: Sequenced, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, LIMITS)
    desk = sequenced
    desk.sequence(NUMBER, End(id="end"))
    desk.said(text="order")
    desk.run()
    assert [set(one) for one in desk.quick_replies()] == [{"ask"}, {"title", "payload"}]


def test_a_number_that_is_typed_answers_too_and_what_is_none_is_asked_for_again(
    sequenced: Sequenced, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, ALONE)
    desk = sequenced
    desk.sequence(NUMBER, End(id="end"))
    for text in ("order", "Why?"):
        desk.said(text=text)
        desk.run()
    assert desk.automatic()[-1] == "A number, please"
    assert desk.quick_replies() == [{"ask": "phone"}]
    desk.said(text="It is +49 151 1234567, thanks")
    desk.run()
    assert desk.answers() == {"number": "+491511234567"}


@pytest.mark.parametrize(
    ("kind", "text"), [("email", "Your email?"), ("text", "What?"), ("phone", "On which number? " * 3)]
)
def test_another_question_or_one_that_is_too_long_has_no_such_button(
    sequenced: Sequenced, monkeypatch: pytest.MonkeyPatch, kind: Kind, text: str
) -> None:
    limit(monkeypatch, ALONE)
    desk = sequenced
    desk.sequence(Ask(id="ask", text=text, kind=kind, variable="it"), End(id="end"))
    desk.said(text="order")
    desk.run()
    assert desk.automatic() == [text.strip()]
    assert [set(one) for one in desk.quick_replies()] == [{"title", "payload"}]
