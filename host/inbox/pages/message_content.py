"""Read ``Message.content``, the details of a message, in any stored form.

Every function takes the whole content and returns plain values; missing or malformed ones are empty.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from host.inbox.apply.bounces import RECEIPTS
from host.inbox.pages import text_view
from host.sdk import strictjson
from host.sdk.closings import ClosingKind
from host.sdk.messages import CLAIMED_WRITER, OWN_ADDRESS, THROUGH_LIST, CustomKind, MessageCard

log = logging.getLogger(__name__)

MOST = 20
SHORT = 200
LONG = 2000
"""Maximum characters of the text above buttons."""

Content = Mapping[str, Any]


class Shared(msgspec.Struct, frozen=True):
    """An item the customer shared.

    :param what: ``post``, ``reel``, ``story``, ``product``, ``link``, or ``unknown`` if no addon knows it.
    :param href: its URL; empty if unknown.
    """

    what: str
    title: str
    href: str
    price: str = ""


class Referral(msgspec.Struct, frozen=True):
    """The ad, product or link that brought a customer.

    :param what: ``ad``, ``product`` or ``link``.
    :param name: the ad's title, the product's name or id, or the link's reference.
    """

    what: str
    name: str
    href: str = ""


class Button(msgspec.Struct, frozen=True):
    """A button below a card. *href* is empty for one that sends an answer to us."""

    title: str
    href: str = ""
    payload: str = ""


class Slide(msgspec.Struct, frozen=True):
    """A card of a message with buttons.

    :param href: the URL that a tap on the card opens.
    :param file: index of its picture among the message's files, or None.
    """

    title: str
    subtitle: str = ""
    buttons: tuple[Button, ...] = ()
    href: str = ""
    file: int | None = None


def shared(content: Content) -> tuple[Shared, ...]:
    """Return the shared items: ``content["shared"]``, a list of ``type`` and ``payload``."""
    found = []
    for item in _items(content.get("shared")):
        inner = {**item, **_mapping(item.get("payload"))}
        name = _short(item.get("type")).lower()
        if _elements(inner) or _with_buttons(inner):
            continue
        href = text_view.safe(inner.get("url") or inner.get("link")) or ""
        title = _short(inner.get("title") or inner.get("name") or inner.get("text"))
        found.append(Shared(_what(name), title, href, _short(inner.get("price"))))
    return tuple(found)


def _what(name: str) -> str:
    """Return the kind of a shared item from the provider's name of it."""
    if name in {"", "fallback"}:
        return "link"
    words = ("product", "reel", "story", "post")
    return next((word for word in words if word in name), "post" if "share" in name else "unknown")


class Place(msgspec.Struct, frozen=True):
    """A place on the map."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""

    @property
    def coordinates(self) -> str:
        """Latitude and longitude in degrees, to about a metre."""
        return f"{self.latitude:.5f}, {self.longitude:.5f}"


def location(content: Content) -> Place | None:
    """Return ``content["location"]``; None without valid coordinates."""
    given = _mapping(content.get("location"))
    at = [given.get(name) for name in ("latitude", "longitude")]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in at):
        return None
    latitude, longitude = (float(one) for one in at)  # type: ignore[arg-type]
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return None
    return Place(latitude, longitude, _short(given.get("name")), _short(given.get("address")))


def map_of(place: Place) -> str:
    """Return the address of a map with a place."""
    at = f"mlat={place.latitude:.6f}&mlon={place.longitude:.6f}"
    return f"https://www.openstreetmap.org/?{at}#map=16/{place.latitude:.6f}/{place.longitude:.6f}"


class ContactCard(msgspec.Struct, frozen=True):
    """A contact that the customer shared.

    :param details: phone numbers, email addresses and company in one line.
    """

    name: str
    details: str


def contacts(content: Content) -> tuple[ContactCard, ...]:
    """Return ``content["contacts"]``."""
    found = []
    for one in _items(content.get("contacts")):
        texts = [_short(text) for name in ("phones", "emails") for text in _list(one.get(name))]
        details = " · ".join(text for text in (*texts, _short(one.get("company"))) if text)
        name = _short(one.get("name"))
        if name or details:
            found.append(ContactCard(name or details, details if name else ""))
    return tuple(found)


class OrderLine(msgspec.Struct, frozen=True):
    """A line of an order.

    :param price: of one, with its currency; empty if unknown.
    """

    product: str
    quantity: int
    price: str


def order(content: Content) -> tuple[OrderLine, ...]:
    """Return the lines of ``content["order"]``."""
    found = []
    for one in _items(_mapping(content.get("order")).get("items")):
        product, quantity = _short(one.get("product")), one.get("quantity")
        if product and isinstance(quantity, int):
            price = f"{_short(one.get('price'))} {_short(one.get('currency'))}".strip()
            found.append(OrderLine(product, quantity, price))
    return tuple(found)


def custom_kind(content: Content, known: Sequence[CustomKind]) -> CustomKind | None:
    """Return which of the *known* kinds ``content["custom"]`` names."""
    name = _mapping(content.get("custom")).get("kind")
    return next((one for one in known if one.name == name), None)


def cards_of(kind: CustomKind, content: Content) -> tuple[MessageCard, ...]:
    """Return the cards of a message of *kind*; none if they could not be made."""
    try:
        data = strictjson.convert(_mapping(content.get("custom")).get("data"), kind.data)
        return tuple(_card(one) for one in kind.cards(data)[:MOST])
    except Exception:  # the addon's code, and data that an earlier release of it may have written
        log.warning("A message of the kind %s could not be shown as cards", kind.name, exc_info=True)
        return ()


def _card(given: MessageCard) -> MessageCard:
    rows = tuple((_short(str(label)), _long(str(value))) for label, value in given.rows[:MOST])
    href = text_view.safe(given.href) or ""
    return MessageCard(_short(str(given.title)), _long(str(given.detail)), rows, href)


def _list(given: object) -> list[Any]:
    return given[:MOST] if isinstance(given, list) else []


class Program(msgspec.Struct, frozen=True):
    """A program besides Lobby that can answer a customer.

    :param who: ``desk``, ``provider``, ``other``, or empty if unknown.
    """

    who: str = ""
    id: str = ""
    name: str = ""


def program(content: Content, name: str) -> Program:
    """Return the program in *content*: ``sent_by`` of a message, ``to`` of a handover."""
    given = _mapping(content.get(name))
    return Program(*(_short(given.get(part)) for part in ("who", "id", "name")))


def mentioned(content: Content) -> Mapping[str, int]:
    """Return the mentions of a note: ids of members, 0 for teams, by their names in the note."""
    return {**_named(content.get("teams"), team=True), **_named(content.get("mentions"), team=False)}


def _named(given: object, *, team: bool) -> dict[str, int]:
    found = {}
    for one in given if isinstance(given, list) else ():
        id_, name = _mapping(one).get("id"), _short(_mapping(one).get("name"))
        if name and isinstance(id_, int):
            found[name] = 0 if team else id_
    return found


def addresses(content: Content, name: str) -> tuple[str, ...]:
    """Return the addresses in *content* under *name*: ``cc`` or ``bcc`` of a message of ours."""
    given = content.get(name)
    return tuple(one for one in given if isinstance(one, str))[:MOST] if isinstance(given, list) else ()


def signature(content: Content) -> str:
    """Return the signature below a sent message."""
    given = content.get("signature")
    return given if isinstance(given, str) else ""


def standby(content: Content) -> bool:
    """Return whether a message arrived while another program controlled the conversation."""
    return content.get("standby") is True


def referral(content: Content) -> Referral | None:
    """Return the ad, product or link that brought the customer: ``content["referral"]``."""
    given = content.get("referral")
    if not isinstance(given, Mapping):
        return None
    product = _mapping(given.get("product"))
    if product:
        return Referral(
            "product",
            _short(product.get("name") or product.get("id")),
            text_view.safe(product.get("url")) or "",
        )
    ad = _mapping(given.get("ads_context_data"))
    title = _short(ad.get("ad_title") or given.get("title"))
    if ad or given.get("ad_id") or "ad" in _short(given.get("source")).lower().split("_"):
        return Referral("ad", title)
    return Referral("link", _short(given.get("ref")), text_view.safe(given.get("url")) or "")


class SenderCheck(msgspec.Struct, frozen=True):
    """The authenticity of a message's sender.

    :param written_by: the address it claims to be from, if replies go to another one.
    :param verdict: result of our mail server for that address: ``pass``, ``fail`` or ``none``; empty if
        unknown.
    :param elsewhere: the address that replies go to, if in another domain.
    :param results: the individual checks in mail servers' terms: ``SPF pass``.
    """

    written_by: str = ""
    verdict: str = ""
    elsewhere: str = ""
    results: tuple[str, ...] = ()


class Probably(msgspec.Struct, frozen=True):
    """The message that a delivery report which names none is probably about.

    :param to: the recipient it names; empty: the message is no such report.
    :param fitting: how many messages of ours it may be about; the newest is quoted.
    """

    to: str = ""
    fitting: int = 0


def probably_about(content: Content) -> Probably:
    """Return ``content["probably_about"]``."""
    given = _mapping(content.get("probably_about"))
    fitting = given.get("fitting")
    return Probably(_short(given.get("to")), fitting if isinstance(fitting, int) else 0)


def sender_check(content: Content) -> SenderCheck:
    """Return ``content["from"]``, ``content["sender_check"]`` and ``content["answer_elsewhere"]``."""
    check = _mapping(content.get("sender_check"))
    verdict = _short(check.get("verdict"))
    found = ((method, _short(check.get(method))) for method in ("spf", "dkim", "dmarc"))
    return SenderCheck(
        _short(content.get("from")),
        verdict if verdict in {"pass", "fail", "none"} else "",
        _short(content.get("answer_elsewhere")),
        tuple(f"{method.upper()} {result}" for method, result in found if result),
    )


def whole_size(content: Content) -> int:
    """Return ``content["cut"]``, the bytes of a message whose beginning only was kept, or 0 for another."""
    size = content.get("cut")
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else 0


class Form(msgspec.Struct, frozen=True):
    """The formatted form of a message.

    :param rich: whether it shows more than the text.
    :param remote: number of remote pictures in it.
    """

    rich: bool
    remote: int


def form(content: Content) -> Form | None:
    """Return ``content["html"]``, or None if the message has only text."""
    given = content.get("html")
    if not isinstance(given, Mapping):
        return None
    remote = given.get("remote")
    return Form(given.get("rich") is True, remote if isinstance(remote, int) and remote > 0 else 0)


def author(content: Content) -> tuple[str, str]:
    """Return name and address of a message's author, if it is another customer's conversation; else empty."""
    given = _mapping(content.get("author"))
    address = _short(given.get("address"))
    return (_short(given.get("name")) or address, address) if address else ("", "")


def claimed_writer(content: Content) -> str:
    """Return the writer whom the sender of a message only names, or an empty string."""
    given = _mapping(content.get(CLAIMED_WRITER))
    name, address = _short(given.get("name")), _short(given.get("address"))
    return f"{name} ({address})" if name and address else address


def through_list(content: Content) -> str:
    """Return the address of the mailing list that a person wrote a message to, or an empty string."""
    return _short(content.get(THROUGH_LIST))


FOLDED = frozenset({"quote", *ClosingKind})
"""Kinds of parts of a text that are shown folded."""


def quoted_from(content: Content) -> int | None:
    """Return the index from which the text only quotes earlier messages, or None."""
    given = content.get("quoted_from")
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else None


def folds(content: Content, length: int) -> tuple[tuple[str, int, int], ...]:
    """Return kind, start and end of the parts of a text that are shown folded, in order.

    Older messages have only the place from which they quote.

    :param length: number of characters of the text.
    """
    given = content.get("folds")
    found: list[tuple[str, int, int]] = []
    for one in given if isinstance(given, list) else ():
        part = _mapping(one)
        kind, start, end = part.get("kind"), part.get("start"), part.get("end")
        if isinstance(kind, str) and kind in FOLDED and type(start) is int and type(end) is int:
            place, end = found[-1][2] if found else 0, min(end, length)
            if place <= start < end:
                found.append((kind, start, end))
    quoted = quoted_from(content)
    if not found and quoted is not None and quoted < length:
        return (("quote", quoted, length),)
    return tuple(found)


def with_receipt(content: Content, kind: str) -> tuple[str, ...]:
    """Return the addresses with a receipt of *kind* for a sent message."""
    given = _mapping(content.get(RECEIPTS))
    return tuple(address for address, said in given.items() if said == kind)


def own_address(content: Content) -> str:
    """Return the account's address that a message was sent to or from; empty if unknown."""
    return _long(content.get(OWN_ADDRESS))


def went_to(content: Content, name: str) -> tuple[str, ...]:
    """Return the recipients of a message in ``to``, ``cc`` or ``bcc``, by name or address.

    The stored list contains either mappings with ``name`` and ``address``, or addresses.
    """
    given = content.get(name)
    found = []
    for one in given[:MOST] if isinstance(given, list | tuple) else ():
        found.append(
            _short(one.get("name") or one.get("address")) if isinstance(one, Mapping) else _short(one)
        )
    return tuple(filter(None, found))


def slides(content: Content) -> tuple[Slide, ...]:
    """Return the cards of a template, ours or an echoed one, which is among the shared items."""
    sources = [_mapping(content.get("template")), content]
    for item in _items(content.get("shared")):
        sources.append(_mapping(item.get("payload")))
    for source in sources:
        found = _elements(source)
        if found:
            return tuple(_slide(element) for element in found)
    for source in sources:
        card = _with_buttons(source)
        if card is not None:
            return (card,)
    text = _long(_mapping(content.get("template")).get("text"))
    return (Slide(text),) if text else ()


class ApprovedView(msgspec.Struct, frozen=True):
    """The parts of a sent approved template besides its text and file.

    :param buttons: each with the address it opens, which is empty for one that sends an answer to us.
    """

    name: str
    language: str
    header: str
    footer: str
    buttons: tuple[Button, ...]


def approved(content: Content) -> ApprovedView | None:
    """Return ``content["approved_template"]``; None if the message is no approved template."""
    given = _mapping(content.get("approved_template"))
    if not given:
        return None
    buttons = [
        Button(_short(one.get("title")), text_view.safe(one.get("url")) or "")
        for one in _items(given.get("buttons"))
    ]
    return ApprovedView(
        _short(given.get("name")),
        _short(given.get("language")),
        _long(_mapping(given.get("header")).get("text")),
        _long(given.get("footer")),
        tuple(one for one in buttons if one.title),
    )


def _with_buttons(source: Content) -> Slide | None:
    """Return a text with buttons as a card; the provider may have nested it under the template's name."""
    for each in (source, *(value for value in source.values() if isinstance(value, Mapping))):
        buttons = _buttons(each)
        if buttons:
            return Slide(_long(each.get("text")) or _short(each.get("title")), buttons=buttons)
    return None


def _elements(source: Content) -> list[Content]:
    """Return the elements of a template; the provider may have nested them under the template's name."""
    inner = [source, *(value for value in source.values() if isinstance(value, Mapping))]
    for each in inner:
        found = list(_items(each.get("elements")))
        if found:
            return found
    return []


def _slide(element: Content) -> Slide:
    file = element.get("file")
    return Slide(
        title=_short(element.get("title") or element.get("name") or element.get("id")),
        subtitle=_short(element.get("subtitle") or element.get("price")),
        buttons=_buttons(element),
        href=text_view.safe(element.get("url") or _mapping(element.get("default_action")).get("url")) or "",
        file=file if isinstance(file, int) and not isinstance(file, bool) else None,
    )


def products(content: Content) -> tuple[str, ...]:
    """Return the ids of the products in a message of ours."""
    given = content.get("products")
    return tuple(filter(None, map(_short, given[:MOST]))) if isinstance(given, list | tuple) else ()


def own_post(content: Content) -> str:
    """Return the id or URL of the team's own post that a message shares."""
    return _short(content.get("own_post"))


def _buttons(source: Content) -> tuple[Button, ...]:
    return tuple(
        Button(
            _short(button.get("title")),
            text_view.safe(button.get("url")) or "",
            _short(button.get("payload")),
        )
        for button in _items(source.get("buttons"))
    )


def offered(content: Content) -> tuple[str, ...]:
    """Return the titles of a message's quick replies."""
    titles = (_short(reply.get("title")) for reply in _items(content.get("quick_replies")))
    return tuple(title for title in titles if title)


def has_text(content: Content) -> bool:
    """Return whether a template is a text with buttons rather than cards."""
    return bool(_mapping(content.get("template")).get("text"))


def asked(content: Content) -> tuple[str, ...]:
    """Return the data requested by a message's quick replies: ``phone``, ``email``."""
    return tuple(filter(None, (_short(reply.get("ask")) for reply in _items(content.get("quick_replies")))))


def answered(content: Content) -> str:
    """Return which request for contact details a tap answers: ``phone``, ``email``, or none."""
    return _short(content.get("ask"))


def payload(content: Content) -> str:
    """Return the payload of a tapped button."""
    found = content.get("payload")
    return found if isinstance(found, str) else ""


def payloads(content: Content) -> Iterator[str]:
    """Yield the payloads of the buttons of a message's cards."""
    for slide in slides(content):
        yield from (button.payload for button in slide.buttons if button.payload)


class OptIn(msgspec.Struct, frozen=True):
    """A customer's opt-in to messages.

    :param state: ``on``, ``stopped`` or ``resumed``.
    :param marketing: whether it is about everything that advertises something.
    """

    title: str
    state: str
    marketing: bool = False


def opt_in(content: Content) -> OptIn:
    """Return ``content["opt_in"]``."""
    given = _mapping(content.get("opt_in"))
    marketing = given.get("marketing") is True
    return OptIn(_short(given.get("title")), _short(given.get("state")), marketing)


def rating(content: Content) -> str:
    """Return a customer's rating of a message: ``good``, ``bad``; empty without one."""
    return _short(content.get("rating"))


def event(content: Content) -> str:
    """Return the provider's name of an event of an unknown kind."""
    return _short(content.get("event"))


def story_url(content: Content) -> str:
    """Return the URL of the story a message is about."""
    return text_view.safe(_mapping(content.get("story")).get("url")) or ""


def _mapping(value: object) -> Content:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Iterator[Content]:
    if isinstance(value, list | tuple):
        yield from (item for item in value[:MOST] if isinstance(item, Mapping))


def _long(value: object) -> str:
    """Return a longer text, keeping its lines."""
    return text_view.plain(value[:LONG]) if isinstance(value, str) else ""


def _short(value: object) -> str:
    """Return a short text on one line, a number as digits, or an empty string for other values."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return text_view.plain(" ".join(str(value)[: SHORT * 4].split())[:SHORT])
