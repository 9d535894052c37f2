"""Templates of sequences: bodies to start from, with texts for customers in the workspace's language."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.texts import in_language
from host.channels.abilities import Abilities
from host.sdk.i18n import noop
from host.sequences.body import PROGRAM, Ask, Body, Branch, Call, Case, End, Hand, Keep, Say, Starts


class Template(msgspec.Struct, frozen=True):
    """A template in the list.

    :param words: what it does, in a sentence.
    """

    icon: str
    title: LazyString
    words: LazyString


TEMPLATES: Mapping[str, Template] = {
    "order": Template(
        "bag",
        _l("Order question"),
        _l("Ask for the order number, say thanks, and hand the conversation to people"),
    ),
    "status": Template(
        "hook",
        _l("Order status"),
        _l("Ask for the order number, look it up with your program, and say how it stands"),
    ),
    "topics": Template(
        "split",
        _l("Frequent questions"),
        _l("Let the customer choose a topic, and answer it or hand it to people"),
    ),
    "appointment": Template(
        "clock",
        _l("Appointment request"),
        _l("Ask for the reason and the day, and hand the conversation to people"),
    ),
    "waiting": Template(
        "list", _l("Waiting list"), _l("Ask for what they wait and for their email address, and say thanks")
    ),
    "comment": Template(
        "at",
        _l("Comment to DM with a question"),
        _l("Ask what they want to know after a campaign's private reply, and answer it or hand it to people"),
    ),
    "feedback": Template("heart", _l("Feedback"), _l("Ask how it was, and say thanks")),
    "empty": Template("plus", _l("Empty sequence"), _l("One step that hands the conversation to people")),
}
"""Templates by key, in the order of the list."""


def offered(able: Abilities) -> Mapping[str, Template]:
    """Return the templates that can start on the channels of a workspace."""
    return {key: one for key, one in TEMPLATES.items() if key != "comment" or able.private}


_NUMBER = noop("Please send us your order number.")
_NUMBER_AGAIN = noop("That does not look like an order number. It has only digits.")
_NUMBER_THANKS = noop('Thank you! We look up your order {{answer.order_number || "now"}} and answer here.')
_STATUS = noop('Your order {{answer.order_number || ""}}: {{answer.status || "we look it up"}}')
_STATUS_FAILED = noop("We could not look it up. Our team will answer you here.")
_TOPIC = noop("Please choose a topic.")
_DELIVERY, _RETURN, _OTHER = noop("Delivery"), noop("Return"), noop("Something else")
_DELIVERY_ANSWER = noop("Orders leave us within two working days.")
_RETURN_ANSWER = noop("You can send back anything within 14 days.")
_REASON, _DAY = noop("What would you like an appointment for?"), noop("Which day suits you?")
_DAY_AGAIN = noop("Please write the day with its month and year.")
_DAY_THANKS = noop("Thank you! We look for a time and answer here.")
_WISH, _EMAIL = noop("What are you waiting for?"), noop("Which email address can we write to?")
_EMAIL_AGAIN = noop("That does not look like an email address.")
_EMAIL_THANKS = noop("Thank you! You are on the list, and we write to you.")
_ABOUT = noop("Thank you for your comment! What would you like to know?")
_PRICE, _STOCK = noop("The price"), noop("Is it in stock?")
_PRICE_ANSWER = noop("You find all prices in our shop.")
_STOCK_ANSWER = noop("You can see in our shop how many are left.")
_HOW = noop("How was it with us?")
_GOOD, _SO_SO, _BAD = noop("Good"), noop("So-so"), noop("Bad")
_HOW_THANKS = noop("Thank you for telling us!")
_WORDS = {
    "order": (noop("order"), noop("order number")),
    "status": (noop("order status"), noop("where is my order")),
    "topics": (noop("question"), noop("help")),
    "appointment": (noop("appointment"),),
    "waiting": (noop("waiting list"),),
    "comment": (),  # a campaign starts it
    "feedback": (noop("feedback"),),
}


def body_of(key: str, language: str | None) -> Body:
    """Return the body of a template.

    :param language: of the workspace, for the texts that customers get.
    :raises KeyError: if there is no such template.
    """

    def say(text: str) -> str:
        return in_language(text, language)

    if key == "empty":
        return Body(steps=(Hand(id="people"),))
    starts = Starts(words=tuple(say(word) for word in _WORDS[key]))
    if key == "order":
        return Body(
            starts=starts,
            steps=(
                Ask(
                    id="number",
                    text=say(_NUMBER),
                    kind="number",
                    variable="order_number",
                    again=say(_NUMBER_AGAIN),
                ),
                Say(id="thanks", text=say(_NUMBER_THANKS)),
                Hand(id="people"),
            ),
        )
    if key == "status":
        return Body(
            starts=starts,
            steps=(
                Ask(
                    id="number",
                    text=say(_NUMBER),
                    kind="number",
                    variable="order_number",
                    again=say(_NUMBER_AGAIN),
                ),
                Call(
                    id="look",
                    url=PROGRAM,
                    keeps=(Keep(field="status", variable="status"),),
                    failed="failed",
                ),
                Say(id="stands", text=say(_STATUS)),
                End(id="done"),
                Hand(id="failed", text=say(_STATUS_FAILED)),
            ),
        )
    if key == "topics":
        topics = tuple(say(one) for one in (_DELIVERY, _RETURN, _OTHER))
        return Body(
            starts=starts,
            steps=(
                Ask(id="topic", text=say(_TOPIC), kind="choice", choices=topics, variable="topic"),
                Branch(
                    id="which",
                    cases=(
                        Case(variable="topic", value=topics[0], to="delivery"),
                        Case(variable="topic", value=topics[1], to="returns"),
                    ),
                ),
                Hand(id="people"),
                Say(id="delivery", text=say(_DELIVERY_ANSWER), then="done"),
                Say(id="returns", text=say(_RETURN_ANSWER)),
                End(id="done"),
            ),
        )
    if key == "appointment":
        return Body(
            starts=starts,
            steps=(
                Ask(id="reason", text=say(_REASON), variable="reason"),
                Ask(id="day", text=say(_DAY), kind="date", variable="day", again=say(_DAY_AGAIN)),
                Say(id="thanks", text=say(_DAY_THANKS)),
                Hand(id="people"),
            ),
        )
    if key == "comment":
        wishes = tuple(say(one) for one in (_PRICE, _STOCK, _OTHER))
        return Body(
            starts=starts,
            steps=(
                Ask(id="about", text=say(_ABOUT), kind="choice", choices=wishes, variable="wish"),
                Branch(
                    id="which",
                    cases=(
                        Case(variable="wish", value=wishes[0], to="price"),
                        Case(variable="wish", value=wishes[1], to="stock"),
                    ),
                ),
                Hand(id="people"),
                Say(id="price", text=say(_PRICE_ANSWER), then="done"),
                Say(id="stock", text=say(_STOCK_ANSWER)),
                End(id="done"),
            ),
        )
    if key == "waiting":
        return Body(
            starts=starts,
            steps=(
                Ask(id="wish", text=say(_WISH), variable="wish"),
                Ask(id="email", text=say(_EMAIL), kind="email", variable="email", again=say(_EMAIL_AGAIN)),
                Say(id="thanks", text=say(_EMAIL_THANKS)),
                End(id="done"),
            ),
        )
    choices = tuple(say(one) for one in (_GOOD, _SO_SO, _BAD))
    return Body(
        starts=starts,
        steps=(
            Ask(id="how", text=say(_HOW), kind="choice", choices=choices, variable="feedback"),
            Say(id="thanks", text=say(_HOW_THANKS)),
            End(id="done"),
        ),
    )
