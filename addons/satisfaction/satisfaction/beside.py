"""The panel of a customer's scores and comments."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.i18n import format_date, gettext, noop
from host.sdk.panels import Block, CustomerContext, Entry, Panel, Tone

from . import keeping
from .keeping import Answer


def render(customer: CustomerContext) -> Sequence[Block]:
    """Return the answers in the conversation, or all of the customer on their own page."""
    if customer.conversation_id is not None:
        found = keeping.of_conversation(customer.conversation_id)
    else:
        seen = [(one.channel, one.external_id) for one in customer.identities]
        found = keeping.of_contact(customer.contact_id, seen)
    return [_entry(one) for one in found]


def _entry(answer: Answer) -> Entry:
    asked = gettext("Asked on %(day)s", day=format_date(answer.asked_at))
    if answer.score is None:
        return Entry(asked, badge=gettext("No answer yet"))
    title = gettext("%(score)s of 5", score=answer.score)
    return Entry(
        title, detail=answer.comment[:1000] or asked, badge=_word(answer.score), tone=_tone(answer.score)
    )


def _word(score: int) -> str:
    if score <= 2:
        return str(gettext("Dissatisfied"))
    return str(gettext("Neutral") if score == 3 else gettext("Satisfied"))


def _tone(score: int) -> Tone:
    return Tone.BAD if score <= 2 else Tone.NEUTRAL if score == 3 else Tone.GOOD


PANEL = Panel("satisfaction.answers", noop("Satisfaction"), render)
