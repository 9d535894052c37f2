"""Nothing automatic answers a customer whom another program answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from host.assistants.models import Mode
from host.automation.actions import AddonDoes
from host.channels.directory import Directory
from host.core import clock, db
from host.core.backports.values import replace
from host.delivery.worker import drain
from host.inbox.apply import responders
from host.models.inbox import Contact, DeliveryState, Message, Origin, Reaction
from host.sdk.channel import ChannelAdapter, SendRequest, Sent
from host.sdk.messages import ConversationHandedOver, Handover, MessageEchoed, MessageKind, Program, Who
from host.sdk.rules import React, RuleAction
from host.sequences.body import Act, Ask, Hand, Say, Starts
from tests.assistants.assisting import Assisted
from tests.automation.automated import AWAY, GREETING, Automated, shut
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.rules.ruled import Ruled
from tests.sequences.sequenced import Sequenced

AGENT = Program(Who.BOT, "", "The agent")
STANDBY = {"content": {"standby": True}}
KEEPS = timedelta(hours=24)


@pytest.fixture(autouse=True)
def _several_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let several programs answer on the toy channel."""
    there = replace(
        toys.Windowed.capabilities, responder_keeps=KEEPS, thread_control=True, thread_release=True
    )
    monkeypatch.setattr(toys.Windowed, "capabilities", there)


def handed(to: Program | None, seconds: float = 0, how: Handover = Handover.PASSED) -> ConversationHandedOver:
    return ConversationHandedOver("ana", clock.now() + timedelta(seconds=seconds), how, "", to)


def greeting(desk: Desk) -> Automated:
    made = Automated(desk)
    made.set(greets=True, greeting=GREETING)
    return made


def rule(desk: Desk) -> Automated:
    made = Ruled(desk)
    made.rule({"do": "say", "text": "We will look."})
    return made


def sequence(desk: Desk) -> Automated:
    made = Sequenced(desk)
    made.sequence(Say(id="hello", text="Which order?"), Hand(id="people"), starts=Starts(words=("order",)))
    return made


def assistant(desk: Desk) -> Automated:
    made = Assisted(desk)
    made.attach(Mode.ANSWER)
    return made


SENDERS: tuple[Callable[[Desk], Automated], ...] = (greeting, rule, sequence, assistant)


def ask(made: Automated, **more: Any) -> None:
    made.said(text="Where is my order?", **more)
    made.run()
    if isinstance(made, Assisted):
        made.think()
        made.run()


@pytest.mark.parametrize("sender", SENDERS)
def test_each_sender_is_quiet_for_a_message_that_another_has(
    desk: Desk, sender: Callable[[Desk], Automated]
) -> None:
    made = sender(desk)
    ask(made, **STANDBY)
    assert made.automatic() == []
    assert made.talk().unread_count == 1, "people see what was written"


@pytest.mark.parametrize("sender", SENDERS)
def test_each_sender_answers_what_comes_to_lobby(desk: Desk, sender: Callable[[Desk], Automated]) -> None:
    made = sender(desk)
    ask(made)
    assert len(made.automatic()) == 1


@pytest.mark.parametrize("sender", SENDERS)
def test_each_sender_is_quiet_after_a_handover_to_another(
    desk: Desk, sender: Callable[[Desk], Automated]
) -> None:
    made = sender(desk)
    made.said(text="Where is my order?")
    made.scene.apply(handed(AGENT, 1))
    made.run()
    if isinstance(made, Assisted):
        made.think()
        made.run()
    assert made.automatic() == []


@pytest.mark.parametrize("sender", SENDERS)
def test_a_handover_takes_back_what_waits(desk: Desk, sender: Callable[[Desk], Automated]) -> None:
    made = sender(desk)
    ask(made)
    assert len(made.automatic()) == 1
    made.scene.apply(handed(AGENT, 1, Handover.TAKEN))
    drain(desk.generation, direction="out")
    (message,) = [one for one in toys.everything(Message) if one.origin == Origin.SYSTEM and one.state]
    assert (message.state, message.error["code"]) == (DeliveryState.CANCELLED, "answered_elsewhere")


def test_away_messages_are_held_too(automated: Automated) -> None:
    automated.set(tells_away=True, away=AWAY)
    with shut(clock.now() + timedelta(hours=8)):
        automated.said(**STANDBY)
        automated.run()
    assert automated.automatic() == []


HEART = RuleAction("toy.heart", "email", "react", lambda _about: React("❤️"))


def reacting(made: Automated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an addon bring the action to react, on a channel that has reactions."""
    there = replace(toys.Windowed.capabilities, reactions=frozenset())
    monkeypatch.setattr(toys.Windowed, "capabilities", there)
    made.desk.generation.directory = Directory([toys.WINDOWED], actions=[HEART])


def reactions() -> list[str | None]:
    return [one.emoji for one in toys.everything(Reaction)]


@pytest.mark.parametrize("held_by_other", [False, True])
def test_a_rule_does_not_react(desk: Desk, monkeypatch: pytest.MonkeyPatch, held_by_other: bool) -> None:
    made = Ruled(desk)
    reacting(made, monkeypatch)
    rule = made.rule({"do": "addon", "name": "toy.heart"})
    made.said(text="Where is my order?", **(STANDBY if held_by_other else {}))
    made.run()
    assert reactions() == ([] if held_by_other else ["❤️"])
    assert [one.done for one in made.ran(rule)] == [
        [("addon", "answered_elsewhere" if held_by_other else "")]
    ]


@pytest.mark.parametrize("held_by_other", [False, True])
def test_a_sequence_does_not_react(desk: Desk, monkeypatch: pytest.MonkeyPatch, held_by_other: bool) -> None:
    made = Sequenced(desk)
    reacting(made, monkeypatch)
    heart = Act(id="heart", action=AddonDoes("toy.heart"))
    made.sequence(heart, Hand(id="people"), starts=Starts(words=("order",)))
    made.said(text="Where is my order?")
    if held_by_other:
        made.scene.apply(handed(AGENT, 1, Handover.TAKEN))
    made.run()
    assert reactions() == ([] if held_by_other else ["❤️"])


def test_a_sequence_that_runs_ends_when_another_answers(desk: Desk) -> None:
    made = Sequenced(desk)
    made.sequence(
        Ask(id="number", text="Which order?", kind="number", digits=5, variable="order"),
        Say(id="more", text="It leaves today."),
        Hand(id="people"),
        starts=Starts(words=("order",)),
    )
    made.said(text="Where is my order?")
    made.run()
    made.said(text="12345", at=clock.now() + timedelta(seconds=1), **STANDBY)
    made.run()
    assert made.automatic() == ["Which order?"]
    assert made.last.reason == "answered_elsewhere"


def test_the_reason_is_said(automated: Automated) -> None:
    automated.set(greets=True, greeting=GREETING)
    automated.said()
    automated.read()
    automated.scene.apply(handed(AGENT, 1))
    automated.run()
    assert automated.runs() == [("words", "skipped", None, "answered_elsewhere")]


def test_it_is_over_when_a_message_comes_to_lobby(automated: Automated) -> None:
    automated.set(greets=True, greeting=GREETING)
    automated.said(**STANDBY)
    assert held(automated) is not None
    automated.scene.apply(handed(Program(Who.DESK, "1"), 1))
    assert held(automated) is None
    automated.said(at=clock.now() + timedelta(seconds=2))
    assert held(automated) is None


def held(made: Automated, later: timedelta = timedelta(seconds=10)) -> responders.Responder | None:
    return responders.other(made.talk().responder, clock.now() + later)


def test_it_is_over_a_day_after_the_customers_last_message(automated: Automated) -> None:
    automated.said(**STANDBY)
    assert held(automated, KEEPS - timedelta(minutes=1)) is not None
    assert held(automated, KEEPS + timedelta(minutes=1)) is None


def test_a_call_does_not_end_it(automated: Automated) -> None:
    automated.said(at=clock.now() - timedelta(minutes=1), **STANDBY)
    automated.said(text="", kind=MessageKind.CALL)
    assert held(automated) is not None
    assert automated.talk().unread_count == 2


def test_its_own_messages_name_it(automated: Automated) -> None:
    automated.said(at=clock.now() - timedelta(minutes=1), **STANDBY)
    change = MessageEchoed(
        "ana", "bot-1", clock.now(), text="Yes, from ten.", content={"standby": True}, sent_by=AGENT
    )
    automated.scene._apply(automated.desk.account, toys.WINDOWED, change, clock.now())
    found = held(automated)
    assert found is not None
    assert (found.who, found.name) == ("bot", "The agent")
    automated.said(at=clock.now() + timedelta(seconds=5), **STANDBY)
    found = held(automated)
    assert found is not None
    assert found.name == "The agent", "it is still that one"
    assert automated.talk().handled_by == "nobody", "a program is no person"


def test_the_latest_decides_whatever_the_order(desk: Desk) -> None:
    started = clock.now()
    events = (
        ("said", 0.0, {"standby": True}),
        ("passed", 5.0, Program(Who.DESK, "1")),
        ("said", 9.0, {}),
        ("passed", 9.0, AGENT),
    )
    for number, order in enumerate(permutations(events)):
        name = f"ana{number}"
        made = Automated(desk)
        for what, seconds, more in order:
            at = started + timedelta(seconds=seconds)
            if what == "said":
                made.said(name, at=at, content=more)
            else:
                made.scene.apply(ConversationHandedOver(name, at, Handover.PASSED, "", more))
        found = responders.other(made.talk(name).responder, clock.now())
        assert found is not None, order
        assert found.name == "The agent", order


def test_sending_takes_the_conversation_over(automated: Automated) -> None:
    automated.said(**STANDBY)
    automated.scene.reply("ana", "Bo here.", clock.now())
    assert held(automated) is not None, "it has not been sent yet"
    drain(automated.desk.generation, direction="out")
    assert held(automated) is None


@pytest.mark.parametrize("held_before", [False, True])
def test_a_handover_during_a_send_counts(
    automated: Automated, monkeypatch: pytest.MonkeyPatch, held_before: bool
) -> None:
    """Another program takes the conversation while the provider answers: what it says last decides."""
    automated.said(at=clock.now() - timedelta(minutes=1), **(STANDBY if held_before else {}))
    sent = []

    def send(_adapter: ChannelAdapter, request: SendRequest) -> Sent:
        automated.scene.apply(handed(AGENT, how=Handover.TAKEN))
        sent.append(request.part.text)
        return Sent("out-1")

    monkeypatch.setattr(toys.Windowed, "send", send)
    automated.scene.reply("ana", "Bo here.", clock.now())
    drain(automated.desk.generation, direction="out")
    assert sent == ["Bo here."]
    assert [one.state for one in toys.everything(Message) if one.text == "Bo here."] == [DeliveryState.SENT]
    found = held(automated)
    assert found is not None
    assert found.name == "The agent"
    automated.set(greets=True, greeting=GREETING)
    automated.run()
    assert automated.automatic() == []


def test_a_channel_that_does_not_say_so_is_as_before(
    automated: Automated, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = replace(toys.Windowed.capabilities, responder_keeps=None)
    monkeypatch.setattr(toys.Windowed, "capabilities", there)
    automated.set(greets=True, greeting=GREETING)
    automated.said(**STANDBY)
    automated.run()
    assert len(automated.automatic()) == 1
    assert automated.talk().responder is None


def test_bad_values_hold_nothing() -> None:
    now = clock.now()
    for stored in (None, {}, {"held": True}, {"held": "yes"}, {"held": True, "until": "soon"}):
        assert responders.other(stored, now) is None


def test_it_is_nobody_elses(automated: Automated) -> None:
    automated.said("ana", **STANDBY)
    automated.said("bo")
    with db.read() as session:
        assert session.query(Contact).count() == 2
    assert automated.talk("bo").responder is None


def test_whoever_writes_is_told_before(automated: Automated) -> None:
    desk = automated.desk
    automated.said(at=clock.now() - timedelta(minutes=2))
    path = desk.path(f"/{automated.scene.conversation('ana')}")
    assert "takes the conversation over" not in desk.browser.get(path).text
    automated.said(at=clock.now() - timedelta(minutes=1), **STANDBY)
    page = desk.browser.get(path).text
    assert "Another program answers here." in page
    assert "Sending takes the conversation over." in page
    assert "Send and take over" in page
    automated.scene.apply(handed(AGENT))
    assert "The agent answers here." in desk.browser.get(path).text


def test_it_is_taken_over_and_passed_on(automated: Automated, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = automated.desk
    for name in ("take_thread", "pass_thread"):
        monkeypatch.setattr(toys.Windowed, name, lambda *_given: None)
    automated.said(at=clock.now() - timedelta(minutes=1), **STANDBY)
    path = desk.path(f"/{automated.scene.conversation('ana')}")
    assert desk.browser.post_form(f"{path}/take").status_code == 303
    assert held(automated) is None
    assert "Send and take over" not in desk.browser.get(path).text


def test_it_is_taken_and_released_in_the_menu(automated: Automated, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, asked = automated.desk, list[str]()
    for name in ("take_thread", "release_thread"):
        monkeypatch.setattr(toys.Windowed, name, lambda *_given, name=name: asked.append(name))
    automated.set(greets=True, greeting=GREETING)
    automated.said(at=clock.now() - timedelta(minutes=2), **STANDBY)
    automated.run()
    path = desk.path(f"/{automated.scene.conversation('ana')}")
    menu = menu_of(desk, path)
    assert "/take" in menu
    assert "/release" not in menu, "Lobby doesn't have it"
    assert desk.browser.post_form(f"{path}/take").status_code == 303
    menu = menu_of(desk, path)
    assert "/take" not in menu
    assert "/release" in menu
    assert desk.browser.post_form(f"{path}/release").status_code == 303
    assert asked == ["take_thread", "release_thread"]
    page = desk.browser.get(path).text
    assert "This conversation was released." in page
    assert "Mia R. released this" in page
    found = held(automated)
    assert found is not None
    assert not found.chosen
    assert automated.automatic() == []
    automated.said(text="Hello?", at=clock.now() + timedelta(minutes=1))
    automated.run()
    assert held(automated) is None, "the provider chose Lobby"
    assert "This conversation was released." not in desk.browser.get(path).text


def test_whom_it_was_passed_to_is_not_named_after_a_release(automated: Automated) -> None:
    automated.said(at=clock.now() - timedelta(minutes=1), **STANDBY)
    talk = automated.talk()
    responders.give(talk, clock.now(), KEEPS, "ai_agent")
    responders.give(talk, clock.now(), KEEPS)
    found = responders.other(talk.responder, clock.now())
    assert found is not None
    assert (found.name, found.id, found.chosen) == ("", "", False)


def menu_of(desk: Desk, path: str) -> str:
    page = desk.browser.get(path).text
    menu = page[page.index('data-menu="responder"') :]
    return menu[: menu.index("</details>")]
