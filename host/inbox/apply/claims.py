"""Taps that an addon claims: answers to quick replies it sent, which nobody else has to react to.

The payload of such a quick reply begins with the reply key of its message, which names the addon. A tap is
claimed only if that message went to the same customer and offered exactly this payload, and while the addon
runs. Any other tap is an ordinary message.

Quick replies are not shown everywhere: a provider may show them in its app only, not on its website. So a
text counts as a tap if it is the title or the number of one, and if the message with the quick replies is the
last one sent in a conversation since it was closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from host.core.cleaning import external_id
from host.inbox.apply.incoming import Incoming
from host.inbox.apply.values import Draft, NewMessage
from host.models.inbox import CLAIMED_BY
from host.sdk._acting import writer_of
from host.sdk.messages import MessageKind, MessageReceived

_SEPARATOR = ":"
_TITLE = 20
"""Most characters of a text that may be a title; no channel takes longer ones."""
_TAPS = frozenset({MessageKind.QUICK_REPLY, MessageKind.POSTBACK})


class _Running:
    """The addons of the running revision that may claim taps, by slug."""

    slugs: frozenset[str] = frozenset()


def provide(slugs: Collection[str]) -> None:
    """Set the addons whose claims count in this process."""
    _Running.slugs = frozenset(slugs)


def claiming_payload(reply_key: str, payload: str) -> str:
    """Return the payload to send for a quick reply of the message *reply_key* whose tap is claimed."""
    return f"{reply_key}{_SEPARATOR}{payload}"


def reply_key_in(payload: str) -> str:
    """Return the reply key at the beginning of a payload."""
    return payload.partition(_SEPARATOR)[0]


def payload_of(change: MessageReceived) -> str:
    """Return the payload of a tap; empty for other messages."""
    payload = change.content.get("payload") if change.kind in _TAPS else None
    return payload if isinstance(payload, str) else ""


def claim_in(change: MessageReceived) -> str | None:
    """Return the slug of the running addon that the payload of *change* names, or None."""
    return _slug_in(payload_of(change)) if change.kind in _TAPS else None


def _slug_in(payload: str) -> str | None:
    key, separator, _payload = payload.partition(_SEPARATOR)
    slug = writer_of(key) if separator else None
    return slug if slug in _Running.slugs else None


def payloads_to_check(change: MessageReceived) -> Sequence[str]:
    """Return the payload of *change* if a running addon may claim it, in a list, or else an empty one."""
    return [] if claim_in(change) is None else [payload_of(change)]


def offered(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the payloads of the quick replies of a sent message."""
    yield from (str(one.get("payload", "")) for one in content.get("quick_replies") or ())


def typed(change: MessageReceived) -> str:
    """Return the text of *change* if it may name a quick reply, or else an empty one."""
    text = (change.text or "").strip() if change.kind is MessageKind.TEXT and _Running.slugs else ""
    return text if len(text) <= _TITLE else ""


def payload_for(text: str, content: Mapping[str, Any]) -> str:
    """Return the payload of the quick reply of a sent message that *text* names, or an empty one.

    :param text: its title, or its number, counted from 1.
    """
    replies = content.get("quick_replies") or ()
    titles = {str(one.get("title", "")).casefold(): str(one.get("payload", "")) for one in reversed(replies)}
    numbers = {str(number): str(one.get("payload", "")) for number, one in enumerate(replies, 1)}
    payload = titles.get(text.casefold()) or numbers.get(text, "")
    return payload if _slug_in(payload) is not None else ""


def claim(draft: Draft, item: Incoming, change: MessageReceived, message: NewMessage) -> None:
    """Mark *message* if it is a claimed tap; its payload is then the one that the addon gave."""
    message.content.pop(CLAIMED_BY, None)
    if not (draft.loaded.claims or draft.loaded.typed):
        return
    person = item.account.id, external_id(change.contact)
    payload = payload_of(change)
    if (person, payload) not in draft.loaded.claims:
        payload = draft.loaded.typed.get((person, typed(change)), "")
    if item.imported or not payload:
        return
    message.content[CLAIMED_BY] = _slug_in(payload) or ""
    message.content["payload"] = payload.partition(_SEPARATOR)[2]


def is_claimed(message: NewMessage) -> bool:
    """Return whether an addon claims *message*."""
    return bool(message.content.get(CLAIMED_BY))
