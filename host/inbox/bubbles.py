"""What a message looks like, part by part from top to bottom. Templates only lay out what is decided here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import regex
from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from host.channels import taps
from host.inbox import contents, durations, excerpts, kinds, links, places
from host.inbox.around import Reacted
from host.inbox.looks import Around, Bubble, Card, Chip, Line, Media, Quote, Slide, Story
from host.inbox.models import Actor, AttachmentState, DeliveryState, Direction, Origin
from host.inbox.threads import Entry, File
from host.sdk.capabilities import MEDIA_KINDS
from host.sdk.messages import MessageKind

LARGE = 3
"""A message of at most so many emoji and nothing else is shown larger."""

QUOTED = 90
"""Most letters shown of a quoted text."""
EMOJI = {
    "love": "\u2764\ufe0f",
    "like": "\U0001f44d",
    "laugh": "\U0001f606",
    "wow": "\U0001f62e",
    "sad": "\U0001f622",
    "angry": "\U0001f621",
}
"""What to show of a reaction that came with nothing but its name."""

BOX = (280, 320)
"""Most pixels a picture takes in a thread, across and down."""

PICTURED = frozenset({MessageKind.IMAGE, MessageKind.STICKER})
PLAYED = frozenset({MessageKind.VIDEO, MessageKind.AUDIO})
STORIES = frozenset({MessageKind.STORY_MENTION, MessageKind.STORY_REPLY})

_GRAPHEME = regex.compile(r"\X")
_PICTORIAL = regex.compile(r"[\p{Extended_Pictographic}\p{RI}]")


def bubble(entry: Entry, where: Around) -> Bubble:
    """Return what *entry* looks like."""
    if entry.unsent_at is not None:
        return _tombstone(entry, entry.unsent_at, where)
    if entry.hidden:
        return _hidden(where)
    who = speaker(entry, where)
    media = [_media(file, where, who) for file in entry.files]
    about = _story(entry, media)
    shown = [] if entry.kind == MessageKind.TEMPLATE else [one for one in media if one.kind not in STORIES]
    large = _large(entry)
    found = Bubble(
        icon="" if entry.kind == MessageKind.TEXT else kinds.look(entry.kind).icon,
        label=_label(entry, where),
        origin=_origin(entry),
        quote=_quote(entry, where),
        story=about,
        words=() if large or entry.kind in kinds.TAPS else links.spans(entry.text),
        large=large,
        pictures=_numbered([each for each in shown if each.kind in PICTURED and not each.film]),
        players=tuple(each for each in shown if each.kind in PLAYED or (each.kind in PICTURED and each.film)),
        files=tuple(each for each in shown if each.kind == MessageKind.FILE),
        cards=_cards(entry, media),
        slides=_slides(entry, media),
        offered=contents.offered(entry.content),
        tapped=" ".join(entry.text.split()) if entry.kind in kinds.TAPS else "",
        reactions=tuple(_chip(reaction, where) for reaction in entry.reactions),
        edited=_edited(entry),
    )
    made_of = {"template"} if found.slides else {"quick_replies"} if found.offered else set()
    return replace(
        found,
        line=_line(entry, found, where.channel),
        mobile_only=entry.direction == Direction.OUTBOUND and bool(made_of & where.mobile_only),
    )


def speaker(entry: Entry, where: Around) -> str:
    """Return who wrote *entry*, in words."""
    if entry.direction == Direction.INBOUND:
        return where.contact
    if entry.origin == Origin.PROVIDER:
        return str(_("Your %(channel)s app", channel=where.channel))
    return entry.author_name or str(_("Your team"))


def _tombstone(entry: Entry, at: datetime, where: Around) -> Bubble:
    """Return what is left of a message that was taken back: that it was, by whom and when."""
    time = durations.moment_beside(at, entry.sent_at)
    if entry.erased:
        said = str(_("Erased, %(time)s", time=time))
        return Bubble("trash", said, line=Line("trash", said))
    if entry.direction == Direction.INBOUND:
        said = _("%(who)s unsent this message, %(time)s", who=where.contact, time=time)
    else:
        said = _("Unsent in the %(channel)s app, %(time)s", channel=where.channel, time=time)
    look = kinds.LOOKS[MessageKind.UNSEND]
    return Bubble(look.icon, str(look.label), line=Line(look.icon, str(said)))


def _hidden(where: Around) -> Bubble:
    look = kinds.LOOKS[kinds.HIDDEN]
    said = _("Hidden here, for the team. In %(channel)s it is still there.", channel=where.channel)
    return Bubble(look.icon, str(look.label), line=Line(look.icon, str(said)))


def _edited(entry: Entry) -> str:
    if entry.edited_at is None:
        return ""
    time = durations.moment_beside(entry.edited_at, entry.sent_at)
    if entry.edit_count > 1:
        return str(_("Edited %(n)s times, last %(time)s", n=entry.edit_count, time=time))
    return str(_("Edited %(time)s", time=time))


def _quote(entry: Entry, where: Around) -> Quote | None:
    """Return what *entry* answers; where that is unknown or was taken back, a line that says so."""
    of = entry.quoted
    if of is None:
        return None
    if of.id is None or of.sent_at is None:
        return Quote("", str(_("A message that is not here")), "reply")
    theirs = of.direction == Direction.INBOUND
    name = where.contact if theirs else of.author_name or str(_("Your team"))
    text = excerpts.start(" ".join(links.plain(of.text).split()), QUOTED)
    if of.unsent:
        text = str(_("A message that was unsent"))
    href = ""
    if of.conversation_id == where.conversation_id:
        href = f"#m-{of.id}"
        if of.id not in where.here:
            before = places.position_text((of.sent_at, of.id + 1))
            href = _address(where, before) + href
    look = kinds.look(of.kind)
    icon = "" if of.kind == MessageKind.TEXT else look.icon
    return Quote(name, text or str(look.label), icon, of.id if href else None, href)


def _address(where: Around, before: str) -> str:
    return url_for(
        "inbox.conversation",
        workspace_id=where.workspace_id,
        conversation_id=where.conversation_id,
        before=before,
    )


def _chip(reaction: Reacted, where: Around) -> Chip:
    who = where.contact if reaction.actor == Actor.CUSTOMER else reaction.author_name or str(_("Your team"))
    name = kinds.REACTIONS.get(reaction.name)
    what = str(name) if name is not None else reaction.emoji or reaction.name
    label = str(_("%(who)s reacted with %(what)s", who=who, what=what))
    if reaction.state == DeliveryState.FAILED:
        label = str(_("%(reaction)s, which was not sent", reaction=label))
    return Chip(reaction.emoji or EMOJI.get(reaction.name, "\u2764\ufe0f"), label, reaction.state or "")


def _label(entry: Entry, where: Around) -> str:
    """Return what *entry* is, in a word or two."""
    if len(entry.files) > 1 and entry.kind in MEDIA_KINDS:
        if all(file.kind == MessageKind.IMAGE for file in entry.files):
            return str(ngettext("%(num)s photo", "%(num)s photos", len(entry.files)))
        return str(ngettext("%(num)s file", "%(num)s files", len(entry.files)))
    if entry.kind == MessageKind.AUDIO and any(file.name for file in entry.files):
        return str(_("Audio"))
    if entry.kind == MessageKind.SHARE and (passed_on := contents.shared(entry.content)):
        return str(kinds.SHARED[passed_on[0].what].label)
    if entry.kind == MessageKind.POSTBACK:
        payload = contents.payload(entry.content)
        what = "card" if payload in where.buttons else taps.source(payload, where.settings)
        if what in kinds.TAPPED:
            return str(kinds.TAPPED[what])
    return str(kinds.look(entry.kind).label)


def _large(entry: Entry) -> str:
    """Return the text if it is a few emoji and nothing else."""
    text = entry.text.strip()
    if not text or len(text) > 60 or entry.kind not in {MessageKind.TEXT, MessageKind.STICKER}:
        return ""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= LARGE and all(_PICTORIAL.search(letter) for letter in letters) else ""


def _media(file: File, where: Around, who: str) -> Media:
    what = "PDF" if file.content_type == "application/pdf" else str(kinds.look(file.kind).label)
    address = ""
    if file.viewable:
        address = url_for("media.attachment", workspace_id=where.workspace_id, attachment_id=file.id)
    return Media(
        kind=file.kind,
        label=file.name or str(_("%(what)s from %(who)s", what=what, who=who)),
        name=file.name or what,
        size=size(file.size),
        src=address,
        download=f"{address}?download=1" if address else "",
        missing=_missing(file, where.channel),
        film=file.content_type.startswith("video/"),
        box=_box(file.width, file.height),
    )


def _box(width: int | None, height: int | None) -> tuple[int, int] | None:
    """Return the size to show a picture of that size in: never larger than it is, or than :data:`BOX`."""
    if not width or not height:
        return None
    scale = min(1.0, BOX[0] / width, BOX[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _missing(file: File, channel: str) -> str:
    """Say why *file* cannot be seen; nothing if it can."""
    if file.viewable:
        return ""
    if file.state == AttachmentState.EXPIRED:
        return str(_("no longer there"))
    return str(_("kept by %(channel)s", channel=channel))


def _numbered(pictures: Sequence[Media]) -> tuple[Media, ...]:
    """Return *pictures*, told apart by their number where there are several."""
    if len(pictures) < 2:
        return tuple(pictures)
    return tuple(
        replace(each, label=str(_("%(what)s, %(n)s of %(all)s", what=each.label, n=n, all=len(pictures))))
        for n, each in enumerate(pictures, 1)
    )


def size(number: int | None) -> str:
    """Return a number of bytes in the unit people use: ``9.4 MB``, ``12 kB``; empty for None."""
    if number is None:
        return ""
    if number >= 1_000_000:
        return str(_("%(n)s MB", n=f"{number / 1_000_000:.1f}"))
    return str(_("%(n)s kB", n=max(1, round(number / 1000))))


def _story(entry: Entry, media: Sequence[Media]) -> Story | None:
    if entry.kind not in STORIES:
        return None
    preview = next((each for each in media if each.src and each.kind in STORIES), None)
    hint = _("Shown while the story lasts.") if preview else _("The story has no preview any more.")
    return Story(str(kinds.look(entry.kind).label), str(hint), preview)


def _origin(entry: Entry) -> Line | None:
    came = contents.referral(entry.content)
    return None if came is None else came_from(came)


def came_from(came: contents.Referral) -> Line:
    """Return where a customer came from, in words."""
    if came.what == "ad":
        said = _("Came from your ad “%(title)s”", title=came.name) if came.name else _("Came from an ad")
    elif came.what == "product":
        said = _("Asks about product %(name)s", name=came.name) if came.name else _("Asks about a product")
    else:
        said = (
            _("Came through the link “%(name)s”", name=came.name) if came.name else _("Came through a link")
        )
    return Line("cards" if came.what == "product" else "link", str(said))


def _cards(entry: Entry, media: Sequence[Media]) -> tuple[Card, ...]:
    found = []
    # What was shared comes with its address or without, a file only with one, both in one order.
    previews = (each for each in media if each.kind == MessageKind.SHARE)
    for each in contents.shared(entry.content):
        preview = next(previews, None) if each.href else None
        if not each.title and not each.href:
            continue
        look = kinds.SHARED[each.what]
        place = links.host_of(each.href) if each.href else ""
        found.append(Card(look.icon, str(look.label), each.title, each.price, each.href, place, preview))
    ours = contents.own_post(entry.content)
    if ours:
        found.append(Card("image", str(_("A post of yours")), ours, "", "", ""))
    return tuple(found)


def _slides(entry: Entry, media: Sequence[Media]) -> tuple[Slide, ...]:
    found = [
        Slide(
            title=slide.title,
            subtitle=slide.subtitle,
            href=slide.href,
            buttons=slide.buttons,
            picture=media[slide.file] if slide.file is not None and 0 <= slide.file < len(media) else None,
        )
        for slide in contents.slides(entry.content)
    ]
    products = contents.products(entry.content)
    found += [Slide(str(_("Product")), number, "", (), None) for number in products]
    return tuple(found)


def _line(entry: Entry, made: Bubble, channel: str) -> Line | None:
    """Return what to say instead of the message, or of the part of it that cannot be shown."""
    look = kinds.look(entry.kind)
    if entry.kind == MessageKind.DISAPPEARING:
        return Line(
            look.icon, str(_("Disappearing message, shown only in the %(channel)s app", channel=channel))
        )
    if look is kinds.UNKNOWN:
        return _unknown(entry, channel)
    said = made.words or made.large or made.tapped
    parts = made.story or made.pictures or made.players or made.files or made.cards or made.slides
    if said or parts or (made.origin and entry.kind == MessageKind.REFERRAL):
        return None
    return Line(look.icon, str(_("An empty message")) if entry.kind == MessageKind.TEXT else made.label)


def _unknown(entry: Entry, channel: str) -> Line:
    """Return what to say of a message nobody here can show."""
    event = contents.event(entry.content)
    if "comment" in event:
        return Line("reply", str(_("Commented on a post")))
    if event == "unsupported":
        text = _("A kind of message that %(channel)s does not share with us", channel=channel)
    else:
        text = _("Something from %(channel)s that cannot be shown here yet", channel=channel)
    return Line(kinds.UNKNOWN.icon, str(text))
