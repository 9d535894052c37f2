"""What customers' own words come to: STOP ends what is sent to them by itself, START opens it again.

Every answer is noted in the contact's history, also one that changes nothing or comes late, and the latest by
the provider's time holds. So it does not matter in which order they come, or how often. An edit of the
message or an unsend changes nothing of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.inbox.apply import conversations
from host.inbox.apply.incoming import Incoming, believable
from host.inbox.apply.opt_out_words import Word, word_in
from host.inbox.apply.values import Consent, Draft, NewMessage, Noted, Said, Standing, Wish
from host.sdk.messages import MessageKind, MessageReceived

TYPED = frozenset({MessageKind.TEXT, MessageKind.STORY_REPLY, MessageKind.QUICK_REPLY, MessageKind.POSTBACK})
"""Kinds whose text a person wrote, or chose by a tap."""


def word_of(item: Incoming, change: MessageReceived) -> Word | None:
    """Return the word that a message is; None: it is another, or comes from the provider's history."""
    if item.imported or change.kind not in TYPED or change.attachments:
        return None
    return word_in(change.text)


def hear(draft: Draft, item: Incoming, change: MessageReceived, message: NewMessage) -> None:
    """Note the word that *message* is, if it is one. Whoever wrote it has a standing then."""
    if not draft.loaded.standings:
        return
    word = word_of(item, change)
    if word is not None:
        # A clock of theirs that is ahead must not outdo what is noted by ours meanwhile.
        at = min(believable(change.sent_at, item.received_at), item.received_at)
        draft.wishes.append(Wish(message, word, at))


def decide_consents(draft: Draft) -> Sequence[Consent]:
    """Return what the wishes of a batch come to, by contact; add the lines that tell of them."""
    found: dict[Any, Consent] = {}
    for wish in sorted(draft.wishes, key=lambda one: (one.at, one.word.closes)):
        person = wish.message.writer or wish.message.thread.person
        contact = person.contact_id or (person.account.id, person.external_id)
        if (one := found.get(contact)) is None:
            before = draft.loaded.standings[person.account.id, person.external_id]
            one = found[contact] = Consent(person, before, before)
        before = one.standing
        said = Said(wish.at, wish.word.closes, wish.word.text)
        one.standing = heard(before, said)
        turned = (before.since is None) is not (one.standing.since is None)
        one.noted.append(Noted(wish, turned))
        if is_latest(before, said) and (wish.word.closes or (turned and not person.is_blocked)):
            cause, what = wish.message, "opted_out" if wish.word.closes else "opted_in"
            named = {"name": wish.word.text}
            if cause.writer is not None:  # they take part in somebody else's conversation
                what, named = f"writer_{what}", {**named, "person": person.name or person.external_id}
            conversations.add_line(draft, cause.thread, cause, what, cause.sent_at, **named)
    return list(found.values())


def _order(said: Said) -> tuple[Any, ...]:
    """Return the order of answers: of two at the same moment the stricter holds."""
    return said.at, said.closes, said.source


def is_latest(standing: Standing, said: Said) -> bool:
    """Tell whether *said* is later than every answer that is known."""
    known = [_order(one) for one in standing.log]
    if standing.since is not None:
        known.append((standing.since, True, ""))
    return not known or _order(said) > max(known)


def heard(standing: Standing, said: Said) -> Standing:
    """Return how a contact stands once *said* is known too."""
    log = tuple(sorted((*standing.log, said), key=_order))
    if is_latest(standing, said):
        if not said.closes:
            return Standing(log=log)
        if standing.since is None:
            return Standing(said.at, said.source, said.author_id, log)
        return standing._replace(log=log)
    if standing.since is None:
        return standing._replace(log=log)
    # It came late and changes nothing but since when: what is known without a note of its own counts too.
    noted = any(one.closes and one.at == standing.since for one in log)
    own = () if noted else (Said(standing.since, True, standing.source or "", standing.author_id),)
    first = None
    for one in sorted((*log, *own), key=_order):
        first = None if not one.closes else first or one
    if first is None:
        return standing._replace(log=log)
    return Standing(first.at, first.source or None, first.author_id, log)
