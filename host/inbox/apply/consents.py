"""Customers' opt-out words: STOP ends automated messages, START allows them again.

Every word is stored in the contact's history, even if it changes nothing or arrives late, and the latest by
the provider's time counts. So order and repeats do not matter. Editing or unsending the message changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.inbox.apply import conversations
from host.inbox.apply.incoming import Incoming, believable
from host.inbox.apply.opt_out_words import OptOutWord, word_in
from host.inbox.apply.values import Consent, ConsentAnswer, Draft, NewMessage, Noted, Standing, Wish
from host.sdk.messages import MessageKind, MessageReceived

TYPED = frozenset({MessageKind.TEXT, MessageKind.STORY_REPLY, MessageKind.QUICK_REPLY, MessageKind.POSTBACK})
"""Kinds of messages whose text a person wrote or chose with a tap."""


def word_of(item: Incoming, change: MessageReceived) -> OptOutWord | None:
    """Return the opt-out word of a message, or None for other messages and the provider's history."""
    if item.imported or change.kind not in TYPED or change.attachments:
        return None
    return word_in(change.text)


def hear(draft: Draft, item: Incoming, change: MessageReceived, message: NewMessage) -> None:
    """Add the opt-out word in *message*, if any, to the draft."""
    if not draft.loaded.standings:
        return
    word = word_of(item, change)
    if word is not None:
        # If their clock is ahead, it must not override an answer that our clock recorded since.
        at = min(believable(change.sent_at, item.received_at), item.received_at)
        draft.wishes.append(Wish(message, word, at))


def decide_consents(draft: Draft) -> Sequence[Consent]:
    """Return the resulting consents by contact, and add activity lines for them."""
    found: dict[Any, Consent] = {}
    for wish in sorted(draft.wishes, key=lambda one: (one.at, one.word.closes)):
        person = wish.message.writer or wish.message.thread.person
        contact = person.contact_id or (person.account.id, person.external_id)
        if (one := found.get(contact)) is None:
            before = draft.loaded.standings[person.account.id, person.external_id]
            one = found[contact] = Consent(person, before, before)
        before = one.standing
        said = ConsentAnswer(wish.at, wish.word.closes, wish.word.text)
        one.standing = heard(before, said)
        turned = (before.since is None) is not (one.standing.since is None)
        one.noted.append(Noted(wish, turned))
        if is_latest(before, said) and (wish.word.closes or (turned and not person.is_blocked)):
            cause, what = wish.message, "opted_out" if wish.word.closes else "opted_in"
            named = {"name": wish.word.text}
            if cause.writer is not None:  # they are a participant of another customer's conversation
                what, named = f"writer_{what}", {**named, "person": person.name or person.external_id}
            conversations.add_line(draft, cause.thread, cause, what, cause.sent_at, **named)
    return list(found.values())


def _order(said: ConsentAnswer) -> tuple[Any, ...]:
    """Return the sort key of answers: at the same time, the stricter one counts."""
    return said.at, said.closes, said.source


def is_latest(standing: Standing, said: ConsentAnswer) -> bool:
    """Return whether *said* is later than every known answer."""
    known = [_order(one) for one in standing.log]
    if standing.since is not None:
        known.append((standing.since, True, ""))
    return not known or _order(said) > max(known)


def heard(standing: Standing, said: ConsentAnswer) -> Standing:
    """Return the consent after adding *said*."""
    log = tuple(sorted((*standing.log, said), key=_order))
    if is_latest(standing, said):
        if not said.closes:
            return Standing(log=log)
        if standing.since is None:
            return Standing(said.at, said.source, said.author_id, log)
        return standing._replace(log=log)
    if standing.since is None:
        return standing._replace(log=log)
    # It arrived late and only changes the start; a state without a recorded answer counts, too.
    noted = any(one.closes and one.at == standing.since for one in log)
    own = () if noted else (ConsentAnswer(standing.since, True, standing.source or "", standing.author_id),)
    first = None
    for one in sorted((*log, *own), key=_order):
        first = None if not one.closes else first or one
    if first is None:
        return standing._replace(log=log)
    return Standing(first.at, first.source or None, first.author_id, log)
