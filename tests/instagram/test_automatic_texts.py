"""Every automatic text, with the ledger of the stand-in: that it left, or why it must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants.models import Mode
from host.assistants.values import ModelAnswer
from host.automation import buttons
from host.automation.deciding import Answer
from host.channels.directory import Directory
from host.core import clock, db
from host.models.inbox import Handler, Message, Origin
from host.sdk import desk as sdk_desk
from host.sdk.channel import AccountRef
from host.sdk.desk import Grant
from host.sdk.messages import MessageKind
from host.sequences.body import End, Hand, Say, Starts
from tests import helpers
from tests.assistants.assisting import Assisted
from tests.automation.automated import shut
from tests.delivery.desk import drain
from tests.helpers import do
from tests.inbox import toys
from tests.instagram.test_campaigns_refused import PUBLIC
from tests.instagram.test_campaigns_refused import Desk as Campaigning
from tests.instagram.world import ANA, Addon, Meta
from tests.rules.ruled import add_rule
from tests.sequences.sequenced import Sequenced

ANSWER = "To Norway it takes 4 to 6 days and costs 14 €."


class Shop(Assisted, Sequenced):
    """A desk on the stand-in: what leaves is in its ledger."""

    def __init__(self, account: AccountRef, ig: Addon, meta: Meta) -> None:
        generation = helpers.StandInGeneration(directory=Directory([ig.channel.InstagramAdapter()]))
        mia = helpers.make_user(name="Mia R.", workspace=account.workspace_id)
        made: Any = SimpleNamespace(
            workspace=account.workspace_id, account=account, mia=mia, generation=generation
        )
        super().__init__(made)
        self.meta = meta

    def writes(self, text: str = "Hello?") -> None:
        """Have Ana write, there and here, and the desk do what it does by itself."""
        self.meta.wrote(ANA, text)
        self.said(ANA, text=text, name="Ana Q.")
        self.run()

    def leave(self) -> list[str]:
        """Let everything leave that may; return the texts in the ledger."""
        drain(self.desk.generation, direction="out")
        return [one["text"] for one in self.meta.sent() if one["customer"] == ANA]

    def handle(self, handler: Handler) -> None:
        toys.change_row(type(self.talk(ANA)), self.talk(ANA).id, handled_by=handler)

    def reply_as_addon(self, text: str, key: str, **more: Any) -> str:
        slug = "satisfaction"
        grant = Grant("Satisfaction", ("replies",), ("conversations",))
        sdk_desk.provide(self.desk.generation.directory, {slug: grant})
        result = sdk_desk.of(slug).reply(self.talk(ANA).id, text, key=key, **more)
        sdk_desk.provide(Directory(()), {})
        return "" if result.queued else result.reason


@pytest.fixture
def shop(account: AccountRef, ig: Addon, meta: Meta) -> Any:
    with Shop(account, ig, meta).until_closed() as shop:
        yield shop


def greeting(shop: Shop) -> None:
    shop.set(greets=True, greeting="Welcome!")
    shop.writes()


def away(shop: Shop) -> None:
    shop.set(tells_away=True, away="We are closed.")
    with shut(clock.now() + timedelta(days=1)):
        shop.writes()


def greeting_while_people_take_over(shop: Shop) -> None:
    greeting(shop)
    shop.handle(Handler.PERSON)


def rule(shop: Shop) -> None:
    add_rule(shop, {"do": "say", "text": "One moment."})
    shop.writes()


def rule_that_gives_it_to_people(shop: Shop) -> None:
    add_rule(shop, {"do": "say", "text": "Mia takes over."}, {"do": "assign", "person": shop.desk.mia.id})
    shop.writes()
    shop.handle(Handler.PERSON)


def sequence(shop: Shop) -> None:
    shop.sequence(Say(id="hi", text="Which order?"), End(id="end"), starts=Starts(words=("order",)))
    shop.writes("order")


def sequence_that_hands_over(shop: Shop) -> None:
    shop.sequence(Hand(id="people", text="A person takes over."), starts=Starts(words=("order",)))
    shop.writes("order")
    assert shop.handled_by(ANA) == Handler.PERSON


def sequence_whose_text_is_followed_by_people(shop: Shop) -> None:
    shop.sequence(Say(id="hi", text="Mia looks it up."), Hand(id="people"), starts=Starts(words=("order",)))
    shop.writes("order")
    assert shop.handled_by(ANA) == Handler.PERSON


def sequence_started_by_a_rule(shop: Shop) -> None:
    started = shop.sequence(
        Say(id="hi", text="Your offer."), End(id="end"), starts=Starts(words=("x-offer",), programs=True)
    )
    add_rule(shop, {"do": "sequence", "sequence": started})
    shop.writes("offer")


def announcement(shop: Shop) -> None:
    shop.attach(Mode.ANSWER, announcement="I am automatic.")
    shop.writes("Norway?")
    shop.think()


def answer(shop: Shop) -> None:
    shop.attach(Mode.ANSWER, announces=False)
    shop.writes("Norway?")
    shop.think()


def handoff(shop: Shop) -> None:
    shop.attach(Mode.ANSWER, announces=False)
    shop.model.says = ModelAnswer(hands_over=True)
    shop.writes("Candles?")
    shop.think()
    assert shop.handled_by(ANA) == Handler.PERSON


def satisfaction(shop: Shop) -> None:
    shop.writes()
    toys.change_row(type(shop.talk(ANA)), shop.talk(ANA).id, status="closed")
    assert shop.reply_as_addon("How did we do?", "ask-1", after_closing=True) == ""


def tapped(shop: Shop, what: str) -> None:
    account, answers = shop.desk.account, {"SHIPS": Answer("Within the EU.")}
    do(buttons.keep, account.workspace_id, account.id, what, ["SHIPS"], answers)
    shop.meta.wrote(ANA, "Ships?")
    shop.said(
        ANA, text="Do you ship?", name="Ana Q.", kind=MessageKind.POSTBACK, content={"payload": "SHIPS"}
    )
    shop.run()


def menu_answer(shop: Shop) -> None:
    tapped(shop, "menu")


def ice_breaker_answer(shop: Shop) -> None:
    tapped(shop, "ice_breakers")


LEAVES: dict[str, tuple[Callable[[Shop], None], str]] = {
    "greeting": (greeting, "Welcome!"),
    "greeting, people take over meanwhile": (greeting_while_people_take_over, "Welcome!"),
    "away message": (away, "We are closed."),
    "rule": (rule, "One moment."),
    "rule that gives it to people": (rule_that_gives_it_to_people, "Mia takes over."),
    "sequence": (sequence, "Which order?"),
    "sequence that hands over": (sequence_that_hands_over, "A person takes over."),
    "sequence, then people": (sequence_whose_text_is_followed_by_people, "Mia looks it up."),
    "sequence started by a rule": (sequence_started_by_a_rule, "Your offer."),
    "announcement of an assistant": (announcement, f"{ANSWER}\n\nI am automatic."),
    "answer of an assistant": (answer, ANSWER),
    "handoff of an assistant": (handoff, "A colleague will reply here."),
    "answer to a tap on the menu": (menu_answer, "Within the EU."),
    "answer to a tap on an ice breaker": (ice_breaker_answer, "Within the EU."),
    "question after closing": (satisfaction, "How did we do?"),
}


@pytest.mark.parametrize("name", LEAVES)
def test_it_leaves(shop: Shop, name: str) -> None:
    happens, text = LEAVES[name]
    happens(shop)
    assert shop.leave() == [text]


def answer_and_a_person(shop: Shop) -> None:
    answer(shop)
    shop.handle(Handler.PERSON)


def answer_and_an_opt_out(shop: Shop) -> None:
    answer(shop)
    shop.said(ANA, text="STOP", name="Ana Q.")


def ice_breaker_answer_and_an_opt_out(shop: Shop) -> None:
    ice_breaker_answer(shop)
    shop.said(ANA, text="STOP", name="Ana Q.")


def rule_and_an_opt_out(shop: Shop) -> None:
    rule(shop)
    shop.said(ANA, text="STOP", name="Ana Q.")


def opt_out_as_the_first_word(shop: Shop) -> None:
    shop.meta.wrote(ANA, "STOP")
    shop.said(ANA, text="STOP", name="Ana Q.")
    shop.run()


MUST_NOT: dict[str, tuple[Callable[[Shop], None], str]] = {
    "answer of an assistant, a person took over": (answer_and_a_person, "handled_by_person"),
    "answer of an assistant, opted out": (answer_and_an_opt_out, "opted_out"),
    "answer to a tap, opted out": (ice_breaker_answer_and_an_opt_out, "opted_out"),
    "rule, opted out": (rule_and_an_opt_out, "opted_out"),
    "confirmation of an opt-out": (opt_out_as_the_first_word, ""),
}


@pytest.mark.parametrize("name", MUST_NOT)
def test_it_must_not_leave_and_says_why(shop: Shop, name: str) -> None:
    happens, why = MUST_NOT[name]
    happens(shop)
    assert shop.leave() == []
    with db.read() as session:
        found = session.scalars(
            sa.select(Message.error).where(Message.origin == Origin.SYSTEM, Message.error.is_not(None))
        ).all()
    assert [one["code"] for one in found if one] == ([why] if why else []), "empty: nothing is written at all"


def test_the_private_reply_of_a_campaign_leaves(comments: AccountRef, ig: Addon, meta: Meta) -> None:
    desk = Campaigning(comments, ig)
    desk.comment(meta)
    desk.run()
    assert [one["text"] for one in meta.sent()] == ["Here is the link"]
    assert [one.text for one in meta.box.world.comments.values() if one.ours] == [PUBLIC]


def test_an_addon_is_refused_where_a_person_handles_it(shop: Shop) -> None:
    shop.writes()
    shop.handle(Handler.PERSON)
    assert shop.reply_as_addon("How did we do?", "ask-1", after_closing=True) == "person"
    assert shop.leave() == []
