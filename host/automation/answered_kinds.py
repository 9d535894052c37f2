"""The kinds of messages that the greeting or the assistant of an account answers, as choices of its page."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.automation.deciding import GREETED, Sent
from host.channels.abilities import Abilities
from host.sdk.messages import MessageKind


def offered(able: Abilities, stored: Collection[Sent]) -> dict[Sent, LazyString]:
    """Return the choices: what customers can send on the account's channel, and what was chosen before.

    :data:`GREETED` is the default everywhere, so having more of it than the channel has is no choice.
    """
    chosen = set(stored) if Sent.MESSAGE not in stored else set(stored) - GREETED
    words: Mapping[Sent, LazyString] = {
        Sent.MESSAGE: _l("a message"),
        Sent.STORY_REPLY: _l("a story reply"),
        Sent.TAP: _l("a tap on an ice breaker") if able.ice_breakers else _l("a tap on a button"),
        Sent.MENTION: _l("only a story mention"),
    }
    return {sent: said for sent, said in words.items() if sent in chosen or _can_be_sent(sent, able)}


def clauses(able: Abilities, stored: Collection[Sent]) -> dict[Sent, LazyString]:
    """Return the choices as clauses about a customer, for the preview."""
    words = {
        Sent.MESSAGE: _l("sends a message"),
        Sent.STORY_REPLY: _l("replies to a story"),
        Sent.TAP: _l("taps an ice breaker") if able.ice_breakers else _l("taps a button"),
        Sent.MENTION: _l("mentions you in a story"),
    }
    return {sent: words[sent] for sent in offered(able, stored)}


def missing(able: Abilities, stored: Collection[Sent]) -> list[LazyString]:
    """Return the kinds that were chosen and that customers can't send on the account's channel."""
    return [said for sent, said in offered(able, stored).items() if not _can_be_sent(sent, able)]


def chosen(ticked: Collection[Sent], able: Abilities, stored: Collection[Sent]) -> frozenset[Sent]:
    """Return the kinds to store: those ticked and stored ones that were not offered, or else the default."""
    choices = offered(able, stored)
    kept = frozenset(one for one in ticked if one in choices)
    return kept | (frozenset(stored) - choices.keys()) if kept else GREETED


def _can_be_sent(sent: Sent, able: Abilities) -> bool:
    if sent is Sent.STORY_REPLY:
        return MessageKind.STORY_REPLY in able.kinds
    if sent is Sent.TAP:
        return able.ice_breakers or able.menu or MessageKind.POSTBACK in able.kinds
    return sent is Sent.MESSAGE or MessageKind.STORY_MENTION in able.kinds
