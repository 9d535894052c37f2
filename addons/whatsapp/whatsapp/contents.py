"""Locations, contact cards, orders and advertisements of received messages, in the host's shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from host.sdk import strictjson
from host.sdk.i18n import gettext, noop
from host.sdk.messages import CustomKind, InboundAttachment, MessageCard, MessageKind
from host.sdk.panels import Icon

from .graph import FILES
from .values import identifier, items, mapping, number, text

Found = tuple[MessageKind, str, dict[str, Any]]
"""Kind, text and content of a message."""
MOST = 50
"""Most cards, lines of an order or answers of a form that are kept of one message."""
MOST_FILES = 30
MOST_JSON = 4_000_000
"""Most characters of the answers of a form, more than a webhook has; fewer could not be parsed."""
_LEAST_DIGITS = 5
"""Digits from which what a customer has as a phone number may be one."""
_NUMBER = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
DEEPEST = 3
"""Levels of a form whose answers are read."""


def file_of(kind: MessageKind, found: Mapping[str, Any], name: str) -> InboundAttachment | None:
    """Return a file, whose name is in the field *name*; None if it has no id."""
    media = identifier(found.get("id"))
    if not media:
        return None
    content_type = text(found.get("mime_type"), 100).partition(";")[0].strip()
    return InboundAttachment(
        kind, url=FILES + media, name=text(found.get(name), 255), content_type=content_type
    )


def location_of(found: Mapping[str, Any]) -> Found | None:
    """Return a location; None if it has no valid coordinates."""
    latitude, longitude = number(found.get("latitude")), number(found.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    place: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    for key in ("name", "address"):
        if words := text(found.get(key), 500):
            place[key] = words
    said = "\n".join(place[key] for key in ("name", "address") if key in place)
    return MessageKind.LOCATION, said, {"location": place}


def contacts_of(found: object) -> Found | None:
    """Return contact cards; None if there are none."""
    cards = []
    for one in list(items(found))[:MOST]:
        card: dict[str, Any] = {"name": text(mapping(one.get("name")).get("formatted_name"), 200)}
        phones = [_phone(each) for each in items(one.get("phones"))]
        emails = [text(each.get("email"), 254) for each in items(one.get("emails"))]
        card |= {
            "phones": [each for each in phones if each][:10],
            "emails": [each for each in emails if each][:10],
        }
        if company := text(mapping(one.get("org")).get("company"), 200):
            card["company"] = company
        if card["name"] or card["phones"] or card["emails"]:
            cards.append(card)
    if not cards:
        return None
    said = "\n".join(", ".join(filter(None, (one["name"], *one["phones"], *one["emails"]))) for one in cards)
    return MessageKind.CONTACTS, said, {"contacts": cards}


def _phone(found: Mapping[str, Any]) -> str:
    """Return a phone number of a card as the customer has it; if that is none, the one WhatsApp knows."""
    written, known = text(found.get("phone"), 60), text(found.get("wa_id"), 60)
    if sum(map(str.isdigit, written)) < _LEAST_DIGITS and _NUMBER.fullmatch(known):
        return f"+{known}"
    return written or known


def shared_number(found: object) -> str:
    """Return the number that a customer shared when asked for it, as digits; empty for any other card.

    WhatsApp marks the card that its own button sends with ``origin``, and that button shares nothing but the
    customer's own. A card that they choose themselves is marked ``other``, or not at all, and may be
    anybody's. One number WhatsApp knows (``wa_id``) has to be in it: of several, none is sure to be theirs.
    """
    every = list(items(found))
    if len(every) != 1 or every[0].get("origin") != "contact_request":
        return ""
    numbers = {text(one.get("wa_id"), 60) for one in items(every[0].get("phones"))} - {""}
    number = numbers.pop() if len(numbers) == 1 else ""
    return number if _NUMBER.fullmatch(number) else ""


def order_of(found: Mapping[str, Any]) -> Found | None:
    """Return an order of products of a catalogue; None if it has none."""
    lines = []
    for one in list(items(found.get("product_items")))[:MOST]:
        product, quantity = identifier(one.get("product_retailer_id")), number(one.get("quantity"))
        if not product:
            continue
        line: dict[str, Any] = {"product": product, "quantity": int(quantity or 1)}
        price, currency = number(one.get("item_price")), text(one.get("currency"), 3)
        if price is not None and currency:
            line |= {"price": f"{price:.2f}", "currency": currency}
        lines.append(line)
    if not lines:
        return None
    return MessageKind.ORDER, text(found.get("text"), 4096), {"order": {"items": lines}}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in a form."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form that the customer filled in, such as one of WhatsApp Flows."""

    title: str
    answers: tuple[Answer, ...]


def _cards(form: Form) -> list[MessageCard]:
    return [MessageCard(form.title, rows=[(one.label, one.value) for one in form.answers])]


FORM = CustomKind("form", noop("Form"), Icon.LIST, Form, _cards)
_MADE_BY_THE_FLOW_BUILDER = re.compile(r"screen_\d+_(.+)_\d+")
_FILES = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO}
_NOT_ANSWERS = {"flow_token", "saved_address_id"}


def form_of(found: Mapping[str, Any]) -> tuple[Found, tuple[InboundAttachment, ...]] | None:
    """Return a filled-in form and its files; None if it has no answers.

    Source: *Receiving Flow Response* of Meta's WhatsApp Flows.
    """
    try:
        given = strictjson.loads(text(found.get("response_json"), MOST_JSON))
    except ValueError:
        return None
    answers = tuple(islice(_answers(mapping(given)), MOST))
    if not answers:
        return None
    title = text(found.get("body"), 1024)
    form = Form("" if title == "Sent" else title, answers)  # the body of every flow
    lines = [form.title, *(f"{one.label}: {one.value}" for one in answers)]
    said = MessageKind.CUSTOM, "\n".join(filter(None, lines)), FORM.content(form)
    return said, tuple(islice(_files(mapping(given)), MOST_FILES))


def _files(given: Mapping[str, Any]) -> Iterator[InboundAttachment]:
    for one in (each for value in given.values() for each in items(value)):
        content_type = text(one.get("mime_type"), 100)
        kind = _FILES.get(content_type.partition("/")[0], MessageKind.FILE)
        if content_type and (file := file_of(kind, one, "file_name")) is not None:
            yield file


def _answers(given: Mapping[str, Any], depth: int = 0) -> Iterator[Answer]:
    for key, value in given.items():
        if key in _NOT_ANSWERS:
            continue
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _answers(value, depth + 1)
        elif words := ", ".join(filter(None, map(_words, value if isinstance(value, list) else [value]))):
            made = _MADE_BY_THE_FLOW_BUILDER.fullmatch(key)
            label = " ".join((made[1] if made else key).replace("_", " ").split())
            yield Answer(label[:200], words[:1000])


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return text(value.get("file_name"), 255)
    return text(value, 1000)


@dataclass(frozen=True, slots=True)
class CallPermission:
    """A customer's answer to whether the business may call them."""

    granted: bool


_MAY_CALL, _MAY_NOT = noop("Allowed calls"), noop("Didn't allow calls")
CALL_PERMISSION = CustomKind(
    "call_permission",
    noop("Answer about calls"),
    Icon.BOLT,
    CallPermission,
    lambda answer: [MessageCard(gettext(_MAY_CALL if answer.granted else _MAY_NOT))],
)


def call_permission_of(found: Mapping[str, Any]) -> Found | None:
    """Return whether the customer may be called, which another program asked; None without an answer.

    Source: *Call permission reply* of Meta's WhatsApp Calling.
    """
    answer = text(found.get("response"), 40)
    if answer not in {"accept", "reject"}:
        return None
    said = CallPermission(answer == "accept")
    return MessageKind.CUSTOM, _MAY_CALL if said.granted else _MAY_NOT, CALL_PERMISSION.content(said)


def product_of(found: object) -> dict[str, Any]:
    """Return the product of the catalogue that a message asks about, as ``content`` has it; empty: none."""
    product = identifier(mapping(found).get("product_retailer_id"))
    return {"referral": {"product": {"id": product}}} if product else {}


def referral_of(found: object) -> dict[str, Any]:
    """Return the advertisement or post that a customer came from, as ``content`` has it; empty: none."""
    told = mapping(found)
    kept = {
        "source": "ADS" if told.get("source_type") == "ad" else text(told.get("source_type"), 40).upper(),
        "ad_id": identifier(told.get("source_id")),
        "ref": identifier(told.get("ctwa_clid")),
        "title": text(told.get("headline"), 300),
        "url": text(told.get("source_url"), 1000),
    }
    kept = {key: value for key, value in kept.items() if value}
    return {"referral": kept} if kept else {}
