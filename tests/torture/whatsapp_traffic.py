"""What customers do on WhatsApp, as Meta delivers it, and what an inbox has to show of it afterwards.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from host.models.inbox import DeliveryState
from sandbox.whatsapp import seed

HOURS = 6 * 3600
"""How long ago the first message was written."""
SAME_SECOND, REACTED, EDITED, REVOKED, OTHER_KIND = 0.3, 0.22, 0.1, 0.04, 0.2
ORDERLY = 2
"""Every second customer's messages come in the order they were written, some within one second; WhatsApp
tells no smaller time. Those of the others come in any order."""
EMOJI = ("👍", "❤️", "😂", "🙏🏽", "😮")
OUTCOMES: tuple[tuple[str, ...], ...] = (
    ("sent",),
    ("sent", "delivered"),
    ("sent", "delivered", "read"),
    ("delivered", "read"),
    ("read",),
    ("sent", "failed"),
    ("failed",),
    ("delivered", "failed"),
    ("sent", "warning"),
)
"""Statuses one message gets, in any order."""
OTHERS: dict[str, dict[str, Any]] = {
    "location": {"location": {"latitude": 52.5, "longitude": 13.4, "name": "Shop"}},
    "contacts": {"contacts": [{"name": {"formatted_name": "Mia S."}, "phones": [{"phone": "+15550100099"}]}]},
    "order": {"order": {"product_items": [{"product_retailer_id": "mug", "quantity": 2}]}},
    "button": {"button": {"payload": "yes", "text": "Yes"}},
    "interactive": {"interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Monday"}}},
    "unsupported": {"errors": [{"code": 131051, "title": "Message type unknown"}]},
    "hologram": {"hologram": {"id": "of a type that no page of Meta's names"}},
}


@dataclass(slots=True)
class Written:
    """A message of a customer.

    :ivar text: None if it is of a kind whose words Lobby chooses.
    """

    id: str
    customer: str
    at: int
    text: str | None
    edits: list[tuple[int, str]] = field(default_factory=list)
    revoked: bool = False

    @property
    def shown(self) -> str | None:
        """Return the text the inbox has to show."""
        if self.revoked:
            return ""
        return max(self.edits)[1] if self.edits else self.text


@dataclass
class Truth:
    """All that really happened, whatever the inbox makes of it."""

    written: dict[str, list[Written]] = field(default_factory=lambda: defaultdict(list))
    """Messages by customer, in their right order."""
    reactions: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Emoji by time, by message; an empty one takes the reaction back."""
    statuses: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Statuses by message."""


def state_of(words: Collection[str], *, seen: bool) -> DeliveryState:
    """Return the state that the statuses of a message say, in whatever order they came.

    :param seen: whether the customer has read a later message.
    """
    if "read" in words:
        return DeliveryState.READ
    if "failed" in words:
        return DeliveryState.FAILED
    if seen:
        return DeliveryState.READ
    return DeliveryState.DELIVERED if "delivered" in words else DeliveryState.SENT


Event = tuple[str, dict[str, Any]]
"""A customer, and an object of the list ``messages``."""


class Customers:
    """Some customers and everything they do, cut into deliveries.

    :param events: how many events there are about.
    """

    def __init__(self, names: Sequence[str], events: int, run: str, now: float, truth: Truth) -> None:
        self._chance = random.Random(f"{run} {names[0]}")
        self._run, self._truth = run, truth
        self._began = int(now) - HOURS
        each = events // len(names)
        self._streams = {
            name: self._stream(name, each, orderly=not i % ORDERLY) for i, name in enumerate(names)
        }

    def _stream(self, customer: str, most: int, *, orderly: bool) -> list[Event]:
        """Return the events of a customer in the order they come."""
        chance, at = self._chance, self._began
        placed: list[tuple[float, int, Event]] = []

        def place(near: float, said: dict[str, Any]) -> None:
            placed.append((near, len(placed), (customer, {"from": customer, **said})))

        number = 0
        while len(placed) < most:
            number += 1
            at += 0 if orderly and chance.random() < SAME_SECOND else chance.randint(1, 20)
            one, content = self._message(customer, number, at)
            self._truth.written[customer].append(one)
            position = number + (0.0 if orderly else chance.uniform(0, 8))
            place(position, {"id": one.id, "timestamp": str(at), **content})
            for said in self._changes(one):
                place(max(0.0, number + chance.uniform(-4, 9)), said)
        return [event for _, _, event in sorted(placed, key=lambda each: each[:2])]

    def _message(self, customer: str, number: int, at: int) -> tuple[Written, dict[str, Any]]:
        id_ = f"wamid.{self._run}.{customer}.{number}"
        if self._chance.random() < OTHER_KIND:
            kind = self._chance.choice(list(OTHERS))
            return Written(id_, customer, at, None), {"type": kind, **OTHERS[kind]}
        text = f"question {number} of {customer} 💙"
        content: dict[str, Any] = {"type": "text", "text": {"body": text}}
        if number > 1 and self._chance.random() < 0.1:
            content["context"] = {"from": customer, "id": f"wamid.{self._run}.{customer}.{number - 1}"}
        return Written(id_, customer, at, text), content

    def _changes(self, one: Written) -> Iterator[dict[str, Any]]:
        """Yield reactions, edits and the removal of a message."""
        chance = self._chance
        if chance.random() < REACTED:
            for number in range(1, chance.randint(2, 4)):
                yield reaction(chance, one.id, one.at + number, self._truth)
        if one.text is not None and chance.random() < EDITED:
            for number in range(1, chance.randint(2, 4)):
                text = f"{one.text}, edited {number} times"
                one.edits.append((one.at + number, text))
                message = {"type": "text", "text": {"body": text}}
                yield {
                    "id": f"{one.id}.edit{number}",
                    "timestamp": str(one.at + number),
                    "type": "edit",
                    "edit": {"original_message_id": one.id, "message": message},
                }
        if chance.random() < REVOKED:
            one.revoked = True
            yield {
                "id": f"{one.id}.revoke",
                "timestamp": str(one.at + 9),
                "type": "revoke",
                "revoke": {"original_message_id": one.id},
            }

    def deliveries(self) -> Iterator[list[Event]]:
        """Yield what comes in one delivery each."""
        while left := [name for name, events in self._streams.items() if events]:
            taken: list[Event] = []
            for _ in range(self._size()):
                name = self._chance.choice(left[:1] if self._chance.random() < 0.5 else left)
                if self._streams[name]:
                    taken.append(self._streams[name].pop(0))
            if taken:
                yield taken

    def _size(self) -> int:
        drawn = self._chance.random()
        return (
            1 if drawn < 0.7 else self._chance.randint(2, 8) if drawn < 0.97 else self._chance.randint(9, 40)
        )


def reaction(chance: random.Random, of: str, at: int, truth: Truth) -> dict[str, Any]:
    """Return a reaction to a message, or its removal, and write it into *truth*."""
    emoji = "" if truth.reactions.get(of) and chance.random() < 0.4 else chance.choice(EMOJI)
    truth.reactions[of][at] = emoji
    given = {"message_id": of, **({"emoji": emoji} if emoji or chance.random() < 0.5 else {})}
    return {"id": f"{of}.reaction{at}", "timestamp": str(at), "type": "reaction", "reaction": given}


def status(message: str, customer: str, word: str, at: int, key: str) -> dict[str, Any]:
    """Return an object of the list ``statuses``.

    :param key: what the desk sent along with the message.
    """
    told: dict[str, Any] = {"id": message, "status": word, "timestamp": str(at), "recipient_id": customer}
    told["biz_opaque_callback_data"] = key
    if word == "failed":
        told["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
    return told


def messages(events: Sequence[Event]) -> dict[str, Any]:
    """Return the value of a change with *events*."""
    people = dict.fromkeys(customer for customer, _ in events)
    contacts = [{"profile": {"name": f"Customer {name}"}, "wa_id": name} for name in people]
    return {"contacts": contacts, "messages": [said for _, said in events]}


def signed(
    values: Sequence[dict[str, Any]],
    secret: str = seed.APP_SECRET,
    *,
    field: str = "messages",
    number: str = seed.NUMBER_ID,
) -> tuple[bytes, str]:
    """Return the body of a delivery with a change for each of *values*, and its signature."""
    metadata = {"display_phone_number": "15550100100", "phone_number_id": number}
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        for value in values
    ]
    entry = [{"id": seed.WABA_ID, "changes": changes}]
    body = json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()
    return body, "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
