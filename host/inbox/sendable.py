"""Check the form and the channel's limits of a message's content, except text and files.

All functions are pure. Errors name the exceeded limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec
from flask_babel import lazy_gettext as _l

from host.core.cleaning import clean, clean_written
from host.core.errors import LobbyError
from host.inbox.errors import KindNotSupportedError
from host.sdk import strictjson
from host.sdk.capabilities import (
    Ask,
    ButtonsLimits,
    Capabilities,
    CopyLimits,
    QuickReplyLimits,
    TemplateLimits,
)
from host.sdk.messages import INVITATION_ANSWER, OWN_ADDRESS, MessageKind

T = TypeVar("T")

LONGEST_SUBJECT = 400
HEART = "\u2764\ufe0f"
LONGEST_ADDRESS = 2000
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
LONGEST_NAME = 200
MOST_CONTACTS = 10
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{3,39}")
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}")
_DEGREES = r"(-?\d{1,3}(?:\.\d+)?)"
_PLACES = (
    re.compile(rf"\A{_DEGREES}(?:\s*[,;]\s*|\s+){_DEGREES}\Z"),
    re.compile(r"\A(-?\d{1,3},\d+)(?:\s*;\s*|\s+)(-?\d{1,3},\d+)\Z"),
    re.compile(rf"!3d{_DEGREES}!4d{_DEGREES}"),
    re.compile(rf"[?&]mlat={_DEGREES}&mlon={_DEGREES}"),
    re.compile(rf"[?&](?:q|query|ll|sll|center|destination|daddr)=(?:loc:)?{_DEGREES},\s*{_DEGREES}"),
    re.compile(rf"[/@:]{_DEGREES},{_DEGREES}"),
    re.compile(rf"#map=\d+/{_DEGREES}/{_DEGREES}"),
)
"""Coordinates as people write them, and in addresses of Google, Apple and OpenStreetMap; exact ones first."""
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\<>\"]")


class NotSendableError(LobbyError):
    """A message exceeds a limit of its channel, or is incomplete; *code* names the reason."""

    status = 422
    title = _l("This can't be sent")

    def __init__(
        self,
        code: str,
        sentence: object,
        *,
        next_step: object = "",
        status: int = 422,
        field: str | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(sentence, next_step=next_step, field=field, limit=limit)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


class QuickReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer offered with a text. A tap sends *payload*, or the title where that is empty.

    With *ask* it has no words of ours: it offers what the provider knows of the customer.
    """

    title: str | None = None
    payload: str = ""
    ask: Ask | None = None


class Button(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A button of a card or of a text: it opens *url*, or sends *payload*."""

    title: str
    url: str = ""
    payload: str = ""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card of a template. Its picture is *upload*, the id of an uploaded file, or *image_url*."""

    title: str
    subtitle: str = ""
    image_url: str = ""
    upload: str = ""
    url: str = ""
    buttons: tuple[Button, ...] = ()


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards side by side, or a text with buttons."""

    elements: tuple[Card, ...] = ()
    text: str = ""
    buttons: tuple[Button, ...] = ()


class _ExtrasContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = ""
    signature: str = ""
    own_address: str = ""


_NAMED = re.compile(r"([^<>]*)<([^<>]+)>")
_ALONG = frozenset(_ExtrasContent.__struct_fields__)


class _InvitationAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    answer: Literal["accepted", "tentative", "declined"]
    attendee: str
    message: int
    event: dict[str, Any]


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    quick_replies: tuple[QuickReply, ...] = ()
    invitation_answer: _InvitationAnswer | None = None


class _Sticker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sticker: str = "heart"


class _Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    own_post: str


class _Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    template: Template | None = None
    products: tuple[str, ...] = ()


class ApprovedHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filled-in part above the text of an approved template; its *kind* names a file, or is ``text``."""

    kind: str
    text: str = ""


class ApprovedButton(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A filled-in button below an approved template."""

    title: str
    url: str = ""
    phone: str = ""


class ApprovedContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A filled-in approved template, except its text and file; see :mod:`host.inbox.approved`."""

    id: str
    name: str
    language: str
    category: str = ""
    header: ApprovedHeader | None = None
    footer: str = ""
    buttons: tuple[ApprovedButton, ...] = ()
    parameters: dict[str, str] = {}
    promotional: bool = False

    @property
    def file_kind(self) -> str | None:
        """The kind of file it needs; None if it needs none."""
        return None if self.header is None or self.header.kind == MessageKind.TEXT else self.header.kind


class _Approved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    approved_template: ApprovedContent


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place, in degrees."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    name: str = ""
    address: str = ""


class _Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    location: Location


class ContactCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contact card, with at least one phone number or email address."""

    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    company: str = ""


class _Contacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    contacts: tuple[ContactCard, ...]


class _Media(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    provider_files: tuple[str, ...] = ()


class MessageExtras(msgspec.Struct, frozen=True):
    """Extras that a message of any kind can have.

    :param content: the stored extras, those of ``to``, ``cc``, ``bcc``, ``subject``, ``signature``,
        ``own_address`` that are set. :mod:`host.inbox.composition.sender_address` checks the last.
    :param rest: the remaining content.
    """

    content: dict[str, Any]
    rest: dict[str, Any]


def check_along(content: Mapping[str, Any], capabilities: Capabilities) -> MessageExtras:
    """Separate the extras that a message of any kind can have from the rest of *content*.

    :raises NotSendableError: codes ``bad_content``, ``copies_not_supported``, ``copy_address``,
        ``too_many_copies``, ``subject_not_supported``.
    """
    given = _read({name: value for name, value in content.items() if name in _ALONG}, _ExtrasContent)
    rest = {name: value for name, value in content.items() if name not in _ALONG}
    found: dict[str, Any] = {}
    first = _copies(given.to, capabilities.copies, "to")
    named = _copies(given.cc, capabilities.copies, "cc")
    to, cc = list(first), [one for one in named if one not in first]
    names = {address: name for address, name in (named | first).items() if name}
    bcc = [one for one in _copies(given.bcc, capabilities.copies, "bcc") if one not in (*to, *cc)]
    count = max(0, len(to) - 1) + len(cc) + len(bcc)
    if capabilities.copies is not None and count > capabilities.copies.most:
        raise NotSendableError(
            "too_many_copies",
            _l(
                "You added %(count)s copy recipients; a message can have %(most)s.",
                most=capabilities.copies.most,
                count=count,
            ),
            next_step=_l("Remove some of them."),
            field="cc",
            limit=capabilities.copies.most,
        )
    subject = _line(given.subject)[:LONGEST_SUBJECT]
    if subject and not capabilities.has_subject:
        raise NotSendableError(
            "subject_not_supported",
            _l("Messages on this channel cannot have a subject."),
            next_step=_l("Send it without one."),
            field="subject",
            status=409,
        )
    own = _line(given.own_address)
    if own and capabilities.copies is not None:
        own = capabilities.copies.clean(own) or own
    along = (("to", to), ("cc", cc), ("names", names), ("bcc", bcc), ("subject", subject), (OWN_ADDRESS, own))
    for name, value in along:
        if value:
            found[name] = value
    signature = clean_written(given.signature)
    if signature and capabilities.signatures:
        found["signature"] = signature
    return MessageExtras(found, rest)


def named_address(written: str, clean: Callable[[str], str | None]) -> tuple[str, str] | None:
    """Return name and address of ``Ana Lima <ana@example.org>`` or of a bare address, or None without one.

    :param clean: returns an address in the channel's form, or None if it is invalid.
    """
    found = _NAMED.fullmatch(_line(written))
    name, address = (found[1], found[2]) if found else ("", written)
    cleaned = clean(address)
    if cleaned is None:
        return None
    bare = name.strip().removeprefix('"').removesuffix('"').replace("\\", "").strip()
    return ("" if bare.lower() == cleaned else bare[:100]), cleaned


def _copies(given: tuple[str, ...], limits: CopyLimits | None, field: str) -> dict[str, str]:
    """Return the distinct addresses in the channel's form, each with its given name or None."""
    if not given:
        return {}
    if limits is None:
        raise NotSendableError(
            "copies_not_supported",
            _l("Messages on this channel go to one person only."),
            next_step=_l("Send it without copies."),
            field=field,
            status=409,
        )
    found: dict[str, str] = {}
    for one in given:
        named = named_address(one, limits.clean)
        if named is None:
            raise NotSendableError(
                "copy_address",
                _l(
                    "“%(address)s” is not a valid address for a copy. Nothing was sent.",
                    address=_line(one)[:120],
                ),
                next_step=_l("Correct or remove it."),
                field=field,
            )
        name, address = named
        found[address] = found.get(address) or name
    return found


def check_content(
    kind: MessageKind, content: Mapping[str, Any], capabilities: Capabilities
) -> tuple[dict[str, Any], list[str]]:
    """Return *content* in its stored form, and the ids of the uploads it names, in order.

    :raises KindNotSupportedError: if the channel does not support *kind*.
    :raises NotSendableError: if it is malformed for *kind*, or exceeds a limit of *capabilities*; its code is
        one of ``bad_content``, ``quick_replies_not_supported``, ``too_many_quick_replies``,
        ``quick_reply_title``, ``quick_reply_payload``, ``quick_reply_ask``, ``too_many_cards``,
        ``too_many_buttons``, ``buttons_text``, ``card_text``, ``card_bare``, ``card_address``,
        ``too_many_products``, ``product_id``, ``own_post``, ``contact_card``, ``not_unique``,
        ``provider_files_not_supported``, ``provider_file``.
    """
    if kind is MessageKind.TEXT:
        return _of_text(_read(content, _Text), capabilities), []
    if kind is MessageKind.STICKER:
        if _read(content, _Sticker).sticker != "heart" or not capabilities.heart:
            raise KindNotSupportedError()
        return {"sticker": "heart"}, []
    if kind is MessageKind.SHARE:
        return {"own_post": _own_post(_read(content, _Share).own_post, capabilities)}, []
    if kind in {MessageKind.LOCATION, MessageKind.CONTACTS}:
        if kind not in capabilities.sends:
            raise KindNotSupportedError()
        if kind is MessageKind.LOCATION:
            return {"location": _location(_read(content, _Location).location)}, []
        return {"contacts": _contacts(_read(content, _Contacts).contacts)}, []
    if kind is MessageKind.TEMPLATE:
        return _template(_read(content, _Template), capabilities)
    if kind is MessageKind.APPROVED_TEMPLATE:
        return {"approved_template": _approved(_read(content, _Approved), capabilities)}, []
    known = _read(content, _Media).provider_files
    if kind not in capabilities.media:
        raise KindNotSupportedError()
    return ({"provider_files": _provider_files(known, capabilities)} if known else {}), []


def _of_text(given: _Text, capabilities: Capabilities) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given.quick_replies:
        found["quick_replies"] = _offered(given.quick_replies, capabilities.quick_replies)
    if given.invitation_answer is not None:
        if not capabilities.answers_invitations:
            raise KindNotSupportedError()
        found[INVITATION_ANSWER] = msgspec.structs.asdict(given.invitation_answer)
    return found


def check_asks(contents: Iterable[Mapping[str, Any]], withdrawn: Mapping[Ask, object]) -> None:
    """Refuse a quick reply with a question that the provider has withdrawn, with the channel's reason.

    :raises NotSendableError: code ``quick_reply_ask``.
    """
    for content in contents:
        offered = content.get("quick_replies")
        for at, one in enumerate(offered if isinstance(offered, list | tuple) else ()):
            ask = one.get("ask") if isinstance(one, Mapping) else None
            if isinstance(ask, str) and ask in withdrawn:
                raise _cannot_ask(withdrawn[Ask(ask)], f"quick_replies[{at}].ask")


def _approved(given: _Approved, capabilities: Capabilities) -> dict[str, Any]:
    """Return a filled-in approved template in its stored form, without empty fields."""
    if not capabilities.approved_templates:
        raise KindNotSupportedError()
    stored: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(given.approved_template))
    return {name: value for name, value in stored.items() if value}


def parse_template(raw: str) -> dict[str, Any]:
    """Return the ``content`` of cards given as JSON text.

    :raises NotSendableError: code ``bad_content`` if *raw* is not a template.
    """
    try:
        found = strictjson.decode(raw, Template)
        if not found.elements:
            raise ValueError("elements: at least one")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _bad(error) from None
    return {"template": msgspec.to_builtins(found)}


def parse_button(raw: str) -> dict[str, str]:
    """Return a button given as JSON text: ``title`` with ``url`` or ``payload``.

    :raises NotSendableError: code ``bad_content`` if *raw* is not one.
    """
    found: dict[str, str] = msgspec.to_builtins(_parsed(raw, Button))
    return found


class _Pasted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: str
    name: str = ""


def parse_location(raw: str) -> dict[str, Any]:
    """Return the ``content`` of a location given as JSON text: ``at`` as pasted, and a ``name``.

    :raises NotSendableError: code ``bad_content`` if *raw* is not one, or has no coordinates.
    """
    given = _parsed(raw, _Pasted)
    found = location_at(given.at)
    if found is None:
        raise NotSendableError(
            "bad_content",
            _l("No coordinates were found in the location."),
            next_step=_l("Copy them from a map, such as 52.5163, 13.3777, or copy the address of the map."),
            field="location",
        )
    return {"location": {"latitude": found[0], "longitude": found[1], "name": given.name}}


class _Reached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    reach: str = ""


def parse_contacts(given: Iterable[str]) -> dict[str, Any]:
    """Return the ``content`` of contact cards, each given as JSON text: ``name``, and in ``reach`` phone
    numbers and email addresses with commas between.

    :raises NotSendableError: code ``bad_content`` if one is malformed.
    """
    cards = []
    for raw in given:
        one = _parsed(raw, _Reached)
        reach = [text.strip() for text in one.reach.split(",") if text.strip()]
        emails = tuple(text for text in reach if "@" in text)
        phones = tuple(text for text in reach if "@" not in text)
        cards.append({"name": one.name, "phones": phones, "emails": emails})
    return {"contacts": cards}


def _parsed(raw: str, shape: type[T]) -> T:
    try:
        return strictjson.decode(raw, shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _bad(error) from None


def _read(content: Mapping[str, Any], shape: type[T]) -> T:
    try:
        return strictjson.convert(dict(content), shape)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _bad(error) from None


def _bad(error: Exception) -> NotSendableError:
    return NotSendableError(
        "bad_content",
        _l("The message is not in a valid format. Nothing was sent."),
        next_step=clean(str(error))[:200],
    )


def _offered(offered: tuple[QuickReply, ...], limits: QuickReplyLimits | None) -> list[dict[str, str]]:
    if limits is None:
        raise NotSendableError(
            "quick_replies_not_supported",
            _l("This channel does not support quick replies. Nothing was sent."),
            next_step=_l("Send the text without them."),
            field="quick_replies",
            status=409,
        )
    if len(offered) > limits.most:
        raise NotSendableError(
            "too_many_quick_replies",
            _l(
                "You added %(count)s quick replies; at most %(most)s can be sent.",
                count=len(offered),
                most=limits.most,
            ),
            next_step=_l("Remove some of them."),
            field="quick_replies",
            limit=limits.most,
        )
    found = []
    for at, one in enumerate(offered):
        if (one.title is None) == (one.ask is None):
            raise _bad(ValueError("a quick reply has a title, or asks for something"))
        if one.ask is not None:
            found.append({"ask": _ask(one.ask, limits, f"quick_replies[{at}].ask").value})
            continue
        title = _line(one.title or "")
        payload = clean(one.payload).strip() or title
        if not title or len(title) > limits.title_length:
            raise NotSendableError(
                "quick_reply_title",
                _too_long(_l("A quick reply"), title, limits.title_length),
                next_step=_l("Change its title."),
                field=f"quick_replies[{at}].title",
                limit=limits.title_length,
            )
        if len(payload) > limits.payload_length:
            raise NotSendableError(
                "quick_reply_payload",
                _too_long(_l("The payload of a quick reply"), payload, limits.payload_length),
                next_step=_l("Make it shorter."),
                field=f"quick_replies[{at}].payload",
                limit=limits.payload_length,
            )
        found.append({"title": title, "payload": payload})
    if limits.ask_alone and len(found) > 1 and any("ask" in one for one in found):
        raise NotSendableError(
            "too_many_quick_replies",
            _l("On this channel, a message that asks for a phone number or email can’t have other answers."),
            next_step=_l("Remove the other answers, or send them in another message."),
            field="quick_replies",
            limit=1,
        )
    if limits.unique:
        _check_unique(found, "quick_replies")
    return found


def check_ask_text(text: str, content: Mapping[str, Any], limits: QuickReplyLimits | None) -> None:
    """Refuse a text that is too long above a request for contact details.

    :param content: of the message, in its stored form.
    :raises NotSendableError: code ``buttons_text``.
    """
    most = None if limits is None else limits.ask_text_length
    asks = any("ask" in one for one in content.get("quick_replies", ()))
    if most is not None and asks and len(text) > most:
        raise NotSendableError(
            "buttons_text",
            _too_long(_l("The text above the request"), text, most),
            next_step=_l("Change it, or send the text separately first."),
            field="text",
            limit=most,
        )


def told_apart(answers: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return *answers*, of those with the same title only the last: a channel may refuse two."""
    last: dict[str, Mapping[str, str]] = {}
    for one in reversed(answers):
        last.setdefault(one["title"].casefold(), one)
    return list(reversed(last.values()))


def _check_unique(answers: Sequence[Mapping[str, str]], field: str) -> None:
    """Refuse answers that the customer, or who reads a tap, cannot tell apart; links are none."""
    titles: dict[str, str] = {}
    payloads: dict[str, str] = {}
    for at, one in enumerate(answers):
        if "payload" not in one:
            continue
        title, payload = one["title"], one["payload"]
        if title.casefold() in titles:
            raise NotSendableError(
                "not_unique",
                _l("Two answers are called “%(title)s”. Nothing was sent.", title=title),
                next_step=_l("Give each a title of its own."),
                field=f"{field}[{at}].title",
            )
        if payload in payloads:
            raise NotSendableError(
                "not_unique",
                _l(
                    "“%(one)s” and “%(other)s” have the same payload. Nothing was sent.",
                    one=payloads[payload],
                    other=title,
                ),
                next_step=_l("Give each a payload of its own."),
                field=f"{field}[{at}].payload",
            )
        titles[title.casefold()] = payloads[payload] = title


def _ask(ask: Ask, limits: QuickReplyLimits, field: str) -> Ask:
    if ask not in limits.asks:
        raise _cannot_ask(_l("A quick reply on this channel cannot ask for that."), field)
    return ask


def _cannot_ask(sentence: object, field: str) -> NotSendableError:
    return NotSendableError(
        "quick_reply_ask",
        sentence,
        next_step=_l("Ask in the text instead."),
        field=field,
        status=409,
    )


def _provider_files(given: tuple[str, ...], capabilities: Capabilities) -> list[str]:
    if not capabilities.provider_files:
        raise NotSendableError(
            "provider_files_not_supported",
            _l("This channel cannot send files by provider ID."),
            next_step=_l("Send the file itself."),
            field="provider_files",
            status=409,
        )
    found = [one.strip() for one in given]
    if not all(_ID.fullmatch(one) for one in found):
        raise NotSendableError(
            "provider_file",
            _l("That is not a valid provider file ID."),
            next_step=_l("Copy the ID that the upload returned."),
            field="provider_files",
        )
    return found


def _own_post(given: str, capabilities: Capabilities) -> str:
    if not capabilities.own_post:
        raise KindNotSupportedError()
    post = given.strip()
    if not _ID.fullmatch(post) and not is_link(post):
        raise NotSendableError(
            "own_post",
            _l("That is not a post ID or link."),
            next_step=_l("Copy the link or ID of the post again."),
            field="own_post",
        )
    return post


def _location(given: Location) -> dict[str, Any]:
    named = {"name": _line(given.name)[:LONGEST_NAME], "address": _line(given.address)[:LONGEST_NAME]}
    return {
        "latitude": given.latitude,
        "longitude": given.longitude,
        **{name: text for name, text in named.items() if text},
    }


def _contacts(given: tuple[ContactCard, ...]) -> list[dict[str, Any]]:
    if not given or len(given) > MOST_CONTACTS:
        raise _bad(ValueError(f"contacts: 1 to {MOST_CONTACTS}"))
    found = []
    for one in given:
        card: dict[str, Any] = {"name": _line(one.name)[:LONGEST_NAME]}
        card["phones"] = [text for phone in one.phones if (text := _line(phone))]
        card["emails"] = [text for email in one.emails if (text := _line(email))]
        phones_fit = all(_PHONE.fullmatch(phone) for phone in card["phones"])
        emails_fit = all(_EMAIL.fullmatch(email) for email in card["emails"])
        some = 0 < len(card["phones"] + card["emails"]) <= MOST_CONTACTS
        if not (card["name"] and some and phones_fit and emails_fit):
            raise NotSendableError(
                "contact_card",
                _l("A contact card has a name, and a phone number or an email address."),
                next_step=_l("Correct it, then send."),
                field="contacts",
            )
        if company := _line(one.company)[:LONGEST_NAME]:
            card["company"] = company
        found.append(card)
    return found


def words_of(kind: MessageKind, content: Mapping[str, Any]) -> str:
    """Return the text stored with a heart, a location or contact cards; empty for other kinds."""
    if kind is MessageKind.STICKER:
        return HEART
    if kind is MessageKind.LOCATION:
        place = content["location"]
        named = "\n".join(place[name] for name in ("name", "address") if name in place)
        return named or f"{place['latitude']:.5f}, {place['longitude']:.5f}"
    if kind is MessageKind.CONTACTS:
        return "\n".join(
            ", ".join((one["name"], *one["phones"], *one["emails"])) for one in content["contacts"]
        )
    return ""


def location_at(text: str) -> tuple[float, float] | None:
    """Return latitude and longitude in *text*: coordinates, or the address of a map; None if it has none."""
    plain = unquote(text).strip()
    for pattern in _PLACES:
        if (match := pattern.search(plain)) is not None:
            latitude, longitude = (float(one.replace(",", ".")) for one in match.groups())
            if abs(latitude) <= 90 and abs(longitude) <= 180:
                return latitude, longitude
    return None


def _template(given: _Template, capabilities: Capabilities) -> tuple[dict[str, Any], list[str]]:
    if (given.template is None) == (not given.products):
        raise _bad(ValueError("either template or products"))
    if given.template is None:
        return {"products": _products(given.products, capabilities.product_template)}, []
    if given.template.text or given.template.buttons:
        return {"template": _with_buttons(given.template, capabilities.buttons)}, []
    limits = capabilities.template
    if limits is None:
        raise KindNotSupportedError()
    cards = given.template.elements
    if not cards:
        raise _bad(ValueError("elements: at least one"))
    if len(cards) > limits.elements:
        raise NotSendableError(
            "too_many_cards",
            _l(
                "You added %(count)s cards; at most %(most)s can be sent.",
                count=len(cards),
                most=limits.elements,
            ),
            next_step=_l("Remove some of them."),
            field="template",
            limit=limits.elements,
        )
    uploads: list[str] = []
    elements = [_card(card, limits, uploads, f"template[{at}]") for at, card in enumerate(cards)]
    return {"template": {"elements": elements}}, uploads


def _with_buttons(given: Template, limits: ButtonsLimits | None) -> dict[str, Any]:
    """Return a text with buttons in its stored form."""
    if limits is None:
        raise KindNotSupportedError()
    if given.elements or not given.buttons:
        raise _bad(ValueError("either elements, or text and buttons"))
    text = clean_written(given.text)
    if not text or len(text) > limits.text_length:
        raise NotSendableError(
            "buttons_text",
            _too_long(_l("The text above the buttons"), text, limits.text_length),
            next_step=_l("Change it, or send the text separately first."),
            field="text",
            limit=limits.text_length,
        )
    if len(given.buttons) > limits.buttons:
        raise NotSendableError(
            "too_many_buttons",
            _l(
                "You added %(count)s buttons; at most %(most)s can be sent.",
                count=len(given.buttons),
                most=limits.buttons,
            ),
            next_step=_l("Remove some of them."),
            field="buttons",
            limit=limits.buttons,
        )
    buttons = [
        _button(one, limits.title_length, limits, f"buttons[{at}]") for at, one in enumerate(given.buttons)
    ]
    if limits.unique:
        _check_unique(buttons, "buttons")
    return {"text": text, "buttons": buttons}


def _products(products: tuple[str, ...], most: int | None) -> list[str]:
    if most is None:
        raise KindNotSupportedError()
    if len(products) > most:
        raise NotSendableError(
            "too_many_products",
            _l(
                "You added %(count)s products; at most %(most)s can be sent.",
                count=len(products),
                most=most,
            ),
            next_step=_l("Remove some of them."),
            field="products",
            limit=most,
        )
    found = [one.strip() for one in products]
    if not all(_ID.fullmatch(one) for one in found):
        raise NotSendableError(
            "product_id",
            _l("That is not a product ID."),
            next_step=_l("Copy the ID from the catalog again."),
            field="products",
        )
    return found


def _card(card: Card, limits: TemplateLimits, uploads: list[str], place: str) -> dict[str, Any]:
    """Return *card* in its stored form: an uploaded picture as ``file``, its index among the message's
    files."""
    element: dict[str, Any] = {
        "title": _card_text(_l("The title of a card"), card.title, limits.title_length, f"{place}.title")
    }
    if card.subtitle.strip():
        element["subtitle"] = _card_text(
            _l("The subtitle of a card"), card.subtitle, limits.subtitle_length, f"{place}.subtitle"
        )
    if card.upload:
        element["file"] = len(uploads)
        uploads.append(card.upload)
    elif card.image_url.strip():
        element["image_url"] = _card_address(card.image_url, f"{place}.image")
    if card.url.strip():
        element["url"] = _card_address(card.url, f"{place}.url")
    if len(card.buttons) > limits.buttons:
        raise NotSendableError(
            "too_many_buttons",
            _l(
                "A card has %(count)s buttons; at most %(most)s are allowed.",
                count=len(card.buttons),
                most=limits.buttons,
            ),
            next_step=_l("Remove some of them."),
            field=f"{place}.buttons",
            limit=limits.buttons,
        )
    if card.buttons:
        element["buttons"] = [
            _button(one, limits.button_title_length, limits, f"{place}.buttons[{at}]")
            for at, one in enumerate(card.buttons)
        ]
    if len(element) == 1:
        raise NotSendableError(
            "card_bare",
            _l("A card needs more than a title."),
            next_step=_l("Add a subtitle, an image, a link or a button."),
            field=place,
        )
    return element


def _button(
    button: Button, longest: int, limits: TemplateLimits | ButtonsLimits, place: str
) -> dict[str, str]:
    title = _card_text(_l("The label of a button"), button.title, longest, f"{place}.title")
    if button.url.strip():
        if button.payload:
            raise _bad(ValueError("a button has a url or a payload"))
        return {"title": title, "url": _card_address(button.url, f"{place}.url")}
    payload = clean(button.payload).strip() or title
    return {
        "title": title,
        "payload": _card_text(
            _l("The payload of a button"), payload, limits.payload_length, f"{place}.payload"
        ),
    }


def _card_text(what: object, text: str, most: int, place: str) -> str:
    line = _line(text)
    if not line or len(line) > most:
        raise NotSendableError(
            "card_text",
            _too_long(what, line, most),
            next_step=_l("Change it."),
            field=place,
            limit=most,
        )
    return line


def _card_address(given: str, place: str) -> str:
    address = given.strip()
    if not is_link(address):
        raise NotSendableError(
            "card_address",
            _l("A card link needs to be a full URL, such as https://example.com/."),
            next_step=_l("Copy the URL again."),
            field=place,
        )
    return address


def is_link(text: str) -> bool:
    """Return whether *text* is an http or https URL that is safe to pass on unchanged."""
    if len(text) > LONGEST_ADDRESS or _UNSAFE.search(text) or not text.startswith(("https://", "http://")):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _too_long(what: object, text: str, most: int) -> object:
    """Return the error sentence for a text that is empty or longer than *most* characters."""
    if not text:
        return _l("%(what)s is empty.", what=what)
    return _l(
        "%(what)s has %(count)s characters; at most %(most)s are allowed.",
        what=what,
        count=len(text),
        most=most,
    )
