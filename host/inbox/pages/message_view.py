"""Messages for threads: each entry with its bubble and the bubble's parts, author, day and state.

Templates only lay these out. :mod:`host.inbox.pages.message_content` reads ``Message.content``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import regex
from flask import url_for
from flask_babel import ngettext
from markupsafe import Markup

from host.channels import button_payloads
from host.channels.directory import current_directory
from host.core.backports.values import replace
from host.features import registry
from host.inbox import list_positions, mentions
from host.inbox.composition import sender_address
from host.inbox.conversation_actions import ACTIVITIES, GIVEN, GIVEN_BECAUSE, OTHER_ACTIVITY, UNDONE
from host.inbox.list_positions import micros
from host.inbox.messages import Entry, File, Reacted
from host.inbox.outcome import PART_BEFORE_FAILED, STAYS
from host.inbox.pages import durations, message_content, send_times, snooze_times, text_view
from host.inbox.pages.comments.parts import Comment
from host.inbox.pages.invitations import shown as invitations
from host.inbox.pages.invitations.shown import InvitationView
from host.inbox.pages.message_content import Button
from host.inbox.pages.text_view import Span
from host.inbox.queries import Row
from host.media.pages import name_warnings
from host.media.picture_size import MOST_PIXELS
from host.models.inbox import ARRIVED, Actor, AttachmentState, DeliveryState, Direction, InternalKind, Origin
from host.sdk.capabilities import MEDIA_KINDS
from host.sdk.channel import ChannelAdapter
from host.sdk.formatting import PICTURE_TYPES, Picture, pictures, to_html
from host.sdk.messages import CustomKind, Handover, MessageKind, ReportKind, is_mail
from host.web import formats, message_kinds
from host.web.languages import gettext as _
from host.web.languages import lazy_gettext as _l
from host.web.languages import local

LARGE = 3
"""Maximum number of emoji in a message without other text that is shown larger."""
QUOTED = 90
"""Maximum characters shown of a quoted text."""
EMOJI = {
    "love": "\u2764\ufe0f",
    "like": "\U0001f44d",
    "laugh": "\U0001f606",
    "wow": "\U0001f62e",
    "sad": "\U0001f622",
    "angry": "\U0001f621",
}
"""The emoji of reactions that providers send only by name."""
BOX = (280, 320)
"""Largest width and height of a picture in a thread, in pixels."""
PICTURED = frozenset({MessageKind.IMAGE, MessageKind.STICKER})
PLAYED = frozenset({MessageKind.VIDEO, MessageKind.AUDIO})
STORIES = frozenset({MessageKind.STORY_MENTION, MessageKind.STORY_REPLY})
_GRAPHEME = regex.compile(r"\X")
_PICTORIAL = regex.compile(r"[\p{Extended_Pictographic}\p{RI}]")
LATE = timedelta(hours=1)
"""Delay from which a message shows that it arrived late."""
WAITED = timedelta(minutes=1)
"""Delay from which a sent message shows when it was written."""
PROTECTIONS = {
    "pgp-encrypted": (
        _l("This email is encrypted with PGP."),
        _l(
            "Lobby cannot decrypt it. Download the file and open it with your key, or ask for an "
            "unencrypted copy."
        ),
    ),
    "smime-encrypted": (
        _l("This email is encrypted with S/MIME."),
        _l(
            "Lobby cannot decrypt it. Download the file and open it with your key, or ask for an "
            "unencrypted copy."
        ),
    ),
    "smime-sealed": (
        _l("This email is signed with S/MIME, and its text is inside the signature."),
        _l("Lobby cannot read it. Download the file and open it in an email app."),
    ),
    "pgp-signed": (_l("This email is signed with PGP."), _l("The signature was not checked.")),
    "smime-signed": (_l("This email is signed with S/MIME."), _l("The signature was not checked.")),
}
"""Texts about signed and encrypted mails, by ``content["protection"]``."""
LEADING = frozenset({"may_belong_by_message", "goes_on", "came_from"})
"""The activity lines that refer to another conversation."""
TOGETHER = timedelta(minutes=5)
"""Time within which messages of one person are grouped under one avatar."""


class Media(msgspec.Struct, frozen=True):
    """A file of a message as shown in its bubble.

    :param label: its name, or else its kind and sender.
    :param src: its URL here; empty if it is unavailable.
    :param missing: why it is unavailable, a sentence; empty if it is available.
    :param elsewhere: the URL of a file that this desk does not fetch; *place*: its host.
    :param mail: the URL where it is opened, if it is a mail.
    :param warning: what its name hides, a sentence; empty for nothing.
    :param film: whether it is a video, regardless of its kind.
    :param box: display width and height of a picture in pixels; None if its size is unknown.
    """

    kind: str
    label: str
    name: str
    size: str
    src: str
    download: str
    missing: str
    film: bool = False
    box: tuple[int, int] | None = None
    elsewhere: str = ""
    place: str = ""
    warning: str = ""
    mail: str = ""


class IconLine(msgspec.Struct, frozen=True):
    """A line with an icon and a sentence."""

    icon: str
    text: str


class Card(msgspec.Struct, frozen=True):
    """A shared item: its kind, its title, and the host of its URL."""

    icon: str
    what: str
    title: str
    detail: str
    href: str
    place: str
    preview: Media | None = None
    rows: Sequence[tuple[str, str]] = ()


class Story(msgspec.Struct, frozen=True):
    """The story a message is about; *preview* is None if it has no picture."""

    what: str
    hint: str
    preview: Media | None


class Quote(msgspec.Struct, frozen=True):
    """A quoted message.

    :param id: id of the message to go to, or None.
    :param href: URL here that shows it.
    """

    name: str
    text: str
    icon: str
    id: int | None = None
    href: str = ""


class Chip(msgspec.Struct, frozen=True):
    """A reaction below a message."""

    emoji: str
    label: str
    state: str


class SlideView(msgspec.Struct, frozen=True):
    """A card of a message with buttons, and its picture."""

    title: str
    subtitle: str
    href: str
    buttons: tuple[Button, ...]
    picture: Media | None


class FormView(msgspec.Struct, frozen=True):
    """The formatted form of a message.

    :param src: its URL, for a frame.
    :param first: whether it is shown instead of the text, because it shows more.
    :param blocked: number of blocked remote pictures; 0 if there are none, or they are shown.
    :param all: its URL with remote pictures.
    :param always: URL to always show this sender's remote pictures; empty if the sender is forged.
    :param unasked: whether they are shown because somebody chose this before.
    """

    name: str
    src: str
    first: bool
    blocked: int
    all: str
    always: str
    unasked: bool = False


class BubbleContext(msgspec.Struct, frozen=True):
    """The data of a bubble besides its message.

    :param contact: the customer's name.
    :param channel: the channel's name.
    :param here: ids of the messages on the same page.
    :param mobile_only: content that customers see only in the channel's mobile app.
    :param settings: settings of the account.
    :param buttons: payloads of the buttons of cards on the same page.
    :param formatting: whether the team writes light Markdown.
    :param originals: whether the team may see a message in its original form.
    :param custom_kinds: the kinds of messages that only this channel has; none while it is not active.
    :param answers_invitations: whether the channel can answer an invitation.
    """

    workspace_id: int
    conversation_id: int
    contact: str
    channel: str
    here: frozenset[int] = frozenset()
    mobile_only: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = msgspec.field(default_factory=dict)
    buttons: frozenset[str] = frozenset()
    formatting: bool = False
    originals: bool = False
    custom_kinds: Sequence[CustomKind] = ()
    answers_invitations: bool = False


class TextPart(msgspec.Struct, frozen=True):
    """A part of a text below its first words.

    :param kind: what is folded, of :data:`host.inbox.pages.message_content.FOLDED`; empty: it is shown.
    """

    kind: str
    spans: tuple[Span, ...]


class Bubble(msgspec.Struct, frozen=True):
    """The parts of a message, from top to bottom. A part it does not have is empty.

    :param label: its kind, in a word: ``Photo``.
    :param line: shown instead of a message that cannot be displayed.
    :param approved: the header, footer and buttons of an approved template.
    :param tapped: the title of the button the customer tapped.
    :param sender: the result of checking the sender.
    :param through: the mailing list that a person wrote it to, and the writer it names.
    :param formatted: *words* as the customer sees them, if the team writes light Markdown.
    :param signature: the signature below them; *copies*: the other recipients.
    :param doubts: reasons to doubt the sender, each with a summary shown in bold.
    :param went_to: its recipients, if the channel reports them.
    :param below: what is below its first words: quotes and signatures, shown folded, and text between.
    :param form: its formatted form.
    :param original: URL of the original message as received.
    :param invitation: the event it invites to, or says something about.
    :param cut: what was not kept of it.
    """

    icon: str
    label: str
    origin: IconLine | None = None
    quote: Quote | None = None
    story: Story | None = None
    words: tuple[Span, ...] = ()
    large: str = ""
    pictures: tuple[Media, ...] = ()
    players: tuple[Media, ...] = ()
    files: tuple[Media, ...] = ()
    cards: tuple[Card, ...] = ()
    slides: tuple[SlideView, ...] = ()
    offered: tuple[str, ...] = ()
    approved: message_content.ApprovedView | None = None
    tapped: str = ""
    line: IconLine | None = None
    reactions: tuple[Chip, ...] = ()
    edited: str = ""
    mobile_only: bool = False
    sender: IconLine | None = None
    through: str = ""
    doubts: tuple[tuple[str, str], ...] = ()
    formatted: Markup | None = None
    signature: Markup | None = None
    copies: str = ""
    went_to: str = ""
    below: tuple[TextPart, ...] = ()
    form: FormView | None = None
    original: str = ""
    invitation: InvitationView | None = None
    cut: str = ""


def bubble(entry: Entry, where: BubbleContext) -> Bubble:
    """Return the bubble of *entry*."""
    if entry.unsent_at is not None:
        return _tombstone(entry, entry.unsent_at, where)
    if entry.hidden:
        return _hidden(where)
    who = speaker(entry, where)
    form = _form(entry, where)
    laid_out = form is not None and form.first
    # Pictures that the formatted form shows inline are not repeated below it.
    entry = replace(entry, files=tuple(file for file in entry.files if not (file.inline and laid_out)))
    placed = _placed(entry, where, who)
    entry = replace(entry, files=tuple(file for file in entry.files if file.name not in placed))
    media = [_media(file, where, who) for file in entry.files]
    if entry.direction == Direction.INBOUND:
        media = [
            replace(one, warning=name_warnings.warning(file.name))
            for one, file in zip(media, entry.files, strict=True)
        ]
    about = _story(entry, media)
    shown = [] if entry.kind == MessageKind.TEMPLATE else [one for one in media if one.kind not in STORIES]
    large, told = _large(entry), _told(entry) or _custom(entry, where)
    invitation = invitations.shown(entry, where.workspace_id, answers=where.answers_invitations)
    # Its text says the same as the card.
    in_card = bool(told) or (invitation is not None and entry.kind == MessageKind.INVITATION)
    found = Bubble(
        icon="" if entry.kind == MessageKind.TEXT else message_kinds.look_of(entry.kind).icon,
        label=_label(entry, where),
        origin=_origin(entry, media),
        quote=_quote(entry, where),
        story=about,
        words=() if large or entry.kind in message_kinds.TAPS or in_card else _words(entry),
        large=large,
        pictures=_numbered([each for each in shown if each.kind in PICTURED and not each.film]),
        players=tuple(each for each in shown if each.kind in PLAYED or (each.kind in PICTURED and each.film)),
        files=tuple(each for each in shown if each.kind == MessageKind.FILE),
        cards=_cards(entry, media, where.channel) + told,
        slides=() if entry.kind == MessageKind.APPROVED_TEMPLATE else _slides(entry, media),
        offered=(*message_content.offered(entry.content), *_asked(entry)),
        approved=message_content.approved(entry.content),
        tapped=" ".join(entry.text.split()) if entry.kind in message_kinds.TAPS else "",
        reactions=tuple(_chip(reaction, where) for reaction in entry.reactions),
        edited=_edited(entry),
        sender=_sender(entry),
        through=_through(entry),
        doubts=tuple(_doubts(entry)),
        cut=_cut(entry),
        copies=_copies(entry),
        formatted=None
        if entry.kind == MessageKind.APPROVED_TEMPLATE
        else _formatted(entry, where, entry.text, placed),
        signature=_formatted(entry, where, message_content.signature(entry.content)),
        went_to=_went_to(entry),
        below=() if large else _below(entry),
        form=form,
        original=_original(entry, where),
        invitation=invitation,
    )
    cards = "buttons" if message_content.has_text(entry.content) else "template"
    made_of = {cards} if found.slides else {"quick_replies"} if found.offered else set()
    line = _line(entry, found, where.channel)
    mobile_only = entry.direction == Direction.OUTBOUND and bool(made_of & where.mobile_only)
    return replace(found, line=line, mobile_only=mobile_only) if line or mobile_only else found


def _form(entry: Entry, where: BubbleContext) -> FormView | None:
    found = message_content.form(entry.content)
    if found is None:
        return None
    here: dict[str, Any] = {"workspace_id": where.workspace_id, "message_id": entry.id}
    forged = message_content.sender_check(entry.content).verdict == "fail"
    return FormView(
        name=f"form-{entry.id}",
        src=url_for("media.formatted_message", **here),
        first=found.rich,
        blocked=0 if entry.pictures_shown else found.remote,
        all=url_for("media.formatted_message", pictures=1, **here),
        unasked=entry.pictures_shown,
        always="" if forged else url_for("media.always_show_pictures", **here),
    )


def _original(entry: Entry, where: BubbleContext) -> str:
    if not where.originals or entry.origin != Origin.CUSTOMER:
        return ""
    return url_for("media.original_message", workspace_id=where.workspace_id, message_id=entry.id)


def _went_to(entry: Entry) -> str:
    if _is_from_here(entry):
        return ""  # shown below it, see :func:`_copies`
    to, cc, bcc = (", ".join(message_content.went_to(entry.content, name)) for name in ("to", "cc", "bcc"))
    parts = [
        str(_("to %(names)s", names=to)) if to else "",
        str(_("cc %(names)s", names=cc)) if cc else "",
        str(_("bcc %(names)s", names=bcc)) if bcc else "",
    ]
    return "; ".join(filter(None, parts))


def _split(entry: Entry) -> list[tuple[str, str]]:
    """Return kind and text of each part of *entry*: first its words, then what is folded and what is between.

    After an edit, all of it is words.
    """
    text = entry.text
    folds = () if entry.edited_at is not None else message_content.folds(entry.content, len(text))
    parts: list[tuple[str, str]] = []
    place = 0
    for kind, start, end in folds:
        parts += [("", text[place:start].strip("\n")), (kind, text[start:end])]
        place = end
    parts.append(("", text[place:].strip("\n") if parts else text))
    return [(parts[0][0], parts[0][1].rstrip() if folds else text), *filter(_has_words, parts[1:])]


def _has_words(part: tuple[str, str]) -> bool:
    return bool(part[1].strip())


def _below(entry: Entry) -> tuple[TextPart, ...]:
    return tuple(TextPart(kind, text_view.spans(text)) for kind, text in _split(entry)[1:])


def _words(entry: Entry) -> tuple[Span, ...]:
    """Return the text of *entry* as spans, followed by mentions that are not in the text."""
    found = text_view.spans(_split(entry)[0][1])
    named = message_content.mentioned(entry.content) if entry.kind == InternalKind.NOTE else {}
    if not named:
        return found
    ids = {name.casefold(): id_ for name, id_ in named.items()}
    marks = mentions.pattern(named)
    parts: list[Span] = []
    for span in found:
        start = 0
        for match in () if span.href else marks.finditer(span.text):
            parts += [Span(span.text[start : match.start()])] if match.start() > start else []
            parts.append(Span(match.group(), names=True, user=ids[match.group(1).casefold()]))
            start = match.end()
        parts += [replace(span, text=span.text[start:])] if start < len(span.text) else []
    there = {span.text.casefold() for span in parts if span.names}
    for name, id_ in named.items():
        if f"@{name}".casefold() not in there:
            parts += [Span(" "), Span(f"@{name}", names=True, user=id_)]
    return tuple(parts)


def _formatted(
    entry: Entry, where: BubbleContext, text: str, placed: Mapping[str, Picture] | None = None
) -> Markup | None:
    """Return the team's *text* as the customer sees it; None if it was written outside of Lobby.

    :param placed: the pictures in it, by name.
    """
    if not text or not _is_formatted(entry, where):
        return None
    return Markup(to_html(text, pictures=placed))  # noqa: S704  # cleaned by nh3


def _is_formatted(entry: Entry, where: BubbleContext) -> bool:
    return where.formatting and _is_from_here(entry)


def _is_from_here(entry: Entry) -> bool:
    """Return whether Lobby sent a message, rather than the provider's own app."""
    return entry.direction == Direction.OUTBOUND and entry.origin != Origin.PROVIDER


def _placed(entry: Entry, where: BubbleContext, who: str) -> dict[str, Picture]:
    """Return the pictures placed in the text of a message of ours, by name."""
    names = pictures(entry.text) if _is_formatted(entry, where) else ()
    found: dict[str, Picture] = {}
    for file in entry.files if names else ():
        if file.name in names and file.content_type in PICTURE_TYPES:
            shown = _media(file, where, who)
            if shown.src:
                found[file.name] = Picture(shown.src, file.width, file.height)
    return found


def _copies(entry: Entry) -> str:
    """Return a sent message's alias, its other recipients, and their receipts, in words."""
    if not _is_from_here(entry):
        return ""
    to, cc, bcc = (message_content.addresses(entry.content, name) for name in ("to", "cc", "bcc"))
    own = message_content.own_address(entry.content)
    said = [str(_("from %(address)s", address=own))] if own else []
    said += [str(_("to %(names)s", names=", ".join(to)))] if to else []
    said += [str(_("cc %(addresses)s", addresses=", ".join(cc)))] if cc else []
    said += [str(_("bcc %(addresses)s", addresses=", ".join(bcc)))] if bcc else []
    read, deleted = (
        message_content.with_receipt(entry.content, kind) for kind in (ReportKind.READ, ReportKind.DELETED)
    )
    said += [str(_("read by %(addresses)s", addresses=", ".join(read)))] if read else []
    said += [str(_("deleted unread by %(addresses)s", addresses=", ".join(deleted)))] if deleted else []
    return " · ".join(said)


def speaker(entry: Entry, where: BubbleContext) -> str:
    """Return the author of *entry* in words."""
    if entry.direction == Direction.INBOUND:
        return message_content.author(entry.content)[0] or where.contact
    if entry.origin == Origin.PROVIDER and entry.private_reply is None:
        sent_by = message_content.program(entry.content, "sent_by")
        if sent_by.who == "provider":
            return str(_("Your %(channel)s app", channel=sent_by.name or where.channel))
        return str(_("Another program") if sent_by.who == "other" else _("Your account"))
    return entry.author_name or str(_("Your team"))


def _tombstone(entry: Entry, at: datetime, where: BubbleContext) -> Bubble:
    """Return the bubble of an unsent or erased message, with who removed it and when."""
    time = durations.moment_beside(at, entry.sent_at)
    if entry.erased:
        said = str(_("Erased, %(time)s", time=time))
        return Bubble("trash", said, line=IconLine("trash", said))
    if is_note(entry):
        who = entry.author_name or str(entry.content.get("by") or _("Someone"))
        said = str(_("%(who)s deleted a note, %(time)s", who=who, time=time))
        return Bubble("trash", said, line=IconLine("trash", said))
    if entry.direction == Direction.INBOUND:
        said = _("%(who)s unsent this message, %(time)s", who=where.contact, time=time)
    else:
        said = _("Unsent in the %(channel)s app, %(time)s", channel=where.channel, time=time)
    look = message_kinds.LOOKS[MessageKind.UNSEND]
    return Bubble(look.icon, str(look.label), line=IconLine(look.icon, str(said)))


def _hidden(where: BubbleContext) -> Bubble:
    look = message_kinds.LOOKS[message_kinds.HIDDEN]
    said = _("Hidden for your team. Still visible in %(channel)s.", channel=where.channel)
    return Bubble(look.icon, str(look.label), line=IconLine(look.icon, str(said)))


def _edited(entry: Entry) -> str:
    if entry.edited_at is None:
        return ""
    time = durations.moment_beside(entry.edited_at, entry.sent_at)
    if entry.edit_count > 1:
        return str(_("Edited %(n)s times, last %(time)s", n=entry.edit_count, time=time))
    return str(_("Edited %(time)s", time=time))


def _quote(entry: Entry, where: BubbleContext) -> Quote | None:
    """Return the message *entry* quotes, or a placeholder if it is unknown or unsent."""
    of = entry.quoted
    if of is None:
        return None
    if of.id is None or of.sent_at is None:
        return Quote("", str(_("Message not available")), "reply")
    theirs = of.direction == Direction.INBOUND
    name = where.contact if theirs else of.author_name or str(_("Your team"))
    text = text_view.start(" ".join(text_view.plain(of.text).split()), QUOTED)
    if of.unsent:
        text = str(_("Unsent message"))
    href = ""
    if of.conversation_id == where.conversation_id:
        href = f"#m-{of.id}"
        if of.id not in where.here:
            before = list_positions.position_text((of.sent_at, of.id + 1))
            href = _address(where, before) + href
    look = message_kinds.look_of(of.kind)
    icon = "" if of.kind == MessageKind.TEXT else look.icon
    return Quote(name, text or str(look.label), icon, of.id if href else None, href)


def _address(where: BubbleContext, before: str) -> str:
    return url_for(
        "inbox.conversation",
        workspace_id=where.workspace_id,
        conversation_id=where.conversation_id,
        before=before,
    )


def _chip(reaction: Reacted, where: BubbleContext) -> Chip:
    who = where.contact if reaction.actor == Actor.CUSTOMER else reaction.author_name or str(_("Your team"))
    name = message_kinds.REACTIONS.get(reaction.name)
    what = str(name) if name is not None else reaction.emoji or reaction.name
    label = str(_("%(who)s reacted with %(what)s", who=who, what=what))
    if reaction.state == DeliveryState.FAILED:
        label = str(_("%(reaction)s, not sent", reaction=label))
    return Chip(reaction.emoji or EMOJI.get(reaction.name, "\u2764\ufe0f"), label, reaction.state or "")


def _label(entry: Entry, where: BubbleContext) -> str:
    """Return the kind of *entry*, in a word or two."""
    sent = [file for file in entry.files if file.kind != MessageKind.TEMPLATE]
    if len(sent) > 1 and entry.kind in MEDIA_KINDS:
        if all(file.kind == MessageKind.IMAGE for file in sent):
            return str(ngettext("%(num)s photo", "%(num)s photos", len(sent)))
        return str(ngettext("%(num)s file", "%(num)s files", len(sent)))
    if entry.kind == MessageKind.AUDIO and any(file.name for file in entry.files):
        return str(message_kinds.AUDIO_FILE)
    if entry.kind == MessageKind.SHARE and (passed_on := message_content.shared(entry.content)):
        return str(message_kinds.SHARED[passed_on[0].what].label)
    if (known := _custom_kind(entry, where)) is not None:
        return str(_(known.label))
    if entry.kind == MessageKind.POSTBACK:
        payload = message_content.payload(entry.content)
        what = "card" if payload in where.buttons else button_payloads.list_of(payload, where.settings)
        if what in message_kinds.TAPPED:
            return str(message_kinds.TAPPED[what])
    if entry.kind == MessageKind.QUICK_REPLY:
        answered = message_content.answered(entry.content)
        if answered in message_kinds.SHARED_ON_REQUEST:
            return str(message_kinds.SHARED_ON_REQUEST[answered])
    return str(message_kinds.look_of(entry.kind).label)


def _large(entry: Entry) -> str:
    """Return the text if it is a few emoji and nothing else."""
    text = entry.text.strip()
    if not text or len(text) > 60 or entry.kind not in {MessageKind.TEXT, MessageKind.STICKER}:
        return ""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= LARGE and all(_PICTORIAL.search(letter) for letter in letters) else ""


def _media(file: File, where: BubbleContext, who: str) -> Media:
    what = "PDF" if file.content_type == "application/pdf" else str(message_kinds.look_of(file.kind).label)
    address = ""
    if file.viewable:
        address = url_for("media.attachment", workspace_id=where.workspace_id, attachment_id=file.id)
    elsewhere = (text_view.safe(file.outside) or "") if file.outside else ""
    place = text_view.host_of(elsewhere) if elsewhere else ""
    return Media(
        # A picture too large for browsers is offered as a file.
        kind=MessageKind.FILE if (file.width or 0) * (file.height or 0) > MOST_PIXELS else file.kind,
        label=file.name or str(_("%(what)s from %(who)s", what=what, who=who)),
        name=file.name or what,
        size=size(file.size),
        src=address,
        download=f"{address}?download=1" if address else "",
        missing=_missing(file, where.channel, place),
        film=file.content_type.startswith("video/"),
        box=_box(file.width, file.height),
        elsewhere=elsewhere,
        place=place,
        mail=_mail(file, where),
    )


def _mail(file: File, where: BubbleContext) -> str:
    stored = where.originals and file.state == AttachmentState.STORED
    if not stored or not is_mail(file.content_type, file.name):
        return ""
    return url_for("media.enclosed_mail", workspace_id=where.workspace_id, attachment_id=file.id)


def _box(width: int | None, height: int | None) -> tuple[int, int] | None:
    """Return the display size of a picture in pixels: at most its own, and at most :data:`BOX`."""
    if not width or not height:
        return None
    scale = min(1.0, BOX[0] / width, BOX[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _missing(file: File, channel: str, place: str) -> str:
    """Return why *file* is unavailable; empty if it is available."""
    if file.viewable:
        return ""
    if file.state == AttachmentState.EXPIRED:
        return str(_("no longer available"))
    if place:
        return str(_("Lobby does not load files from %(place)s.", place=place))
    return str(_("stored by %(channel)s", channel=channel))


def _numbered(pictures: Sequence[Media]) -> tuple[Media, ...]:
    """Return *pictures*, with numbered labels if there are several."""
    if len(pictures) < 2:
        return tuple(pictures)
    return tuple(
        replace(each, label=str(_("%(what)s, %(n)s of %(all)s", what=each.label, n=n, all=len(pictures))))
        for n, each in enumerate(pictures, 1)
    )


def size(number: int | None) -> str:
    """Return a number of bytes as text: ``9.4 MB``, ``12 kB``; empty for None."""
    if number is None:
        return ""
    if number >= 1_000_000:
        return str(_("%(n)s MB", n=f"{number / 1_000_000:.1f}"))
    return str(_("%(n)s kB", n=max(1, round(number / 1000))))


def _story(entry: Entry, media: Sequence[Media]) -> Story | None:
    if entry.kind not in STORIES:
        return None
    found = [each for each in media if each.kind in STORIES]
    preview = next((each for each in found if each.src), None)
    elsewhere = next((each.missing for each in found if each.place), "")
    hint = _("Shown until the story expires.") if preview else _("The story preview has expired.")
    return Story(
        str(message_kinds.look_of(entry.kind).label),
        elsewhere if not preview and elsewhere else str(hint),
        preview,
    )


def _sender(entry: Entry) -> IconLine | None:
    found = message_content.sender_check(entry.content)
    results = ", ".join(found.results)
    if found.verdict == "fail":
        return IconLine("q", results) if results else None
    if not found.verdict:
        return None
    confirmed = found.verdict == "pass"
    words = _("Sender confirmed") if confirmed else _("Sender not confirmed")
    if confirmed and message_content.claimed_writer(entry.content):
        # What is proved of the list is not proved of the writer it names.
        confirmed, words = False, _("List confirmed, writer not confirmed")
    return IconLine("check" if confirmed else "q", f"{words} ({results})" if results else str(words))


def _through(entry: Entry) -> str:
    posted = message_content.through_list(entry.content)
    if not posted:
        return ""
    writer = message_content.claimed_writer(entry.content)
    if not writer:
        return str(_("Through the mailing list %(list)s", list=posted))
    return str(
        _(
            "Through the mailing list %(list)s, which names %(writer)s as the writer",
            list=posted,
            writer=writer,
        )
    )


def _cut(entry: Entry) -> str:
    whole = message_content.whole_size(entry.content)
    if not whole:
        return ""
    return str(
        _(
            "This message has %(size)s, more than Lobby keeps. Here is the beginning of its text, without "
            "files. Read the rest where it was received.",
            size=formats.size(whole),
        )
    )


def _doubts(entry: Entry) -> Iterator[tuple[str, str]]:
    found = message_content.sender_check(entry.content)
    if found.verdict == "fail":
        yield (
            str(_("This may be forged.")),
            str(
                _(
                    "Your mail server found that it did not come from the domain it claims. Check with them "
                    "another way before you act on it."
                )
            ),
        )
    about = message_content.probably_about(entry.content)
    if about.to and about.fitting > 1:
        yield (
            str(_("This is probably about the quoted message.")),
            str(
                _(
                    "The report doesn't name a message. %(n)s messages to %(who)s fit; the newest is quoted.",
                    n=about.fitting,
                    who=about.to,
                )
            ),
        )
    elif about.to:
        yield (
            str(_("This is probably about the quoted message.")),
            str(
                _(
                    "The report doesn't name a message. The quoted one to %(who)s fits, but it may have "
                    "arrived.",
                    who=about.to,
                )
            ),
        )
    if (said := PROTECTIONS.get(str(entry.content.get("protection")))) is not None:
        yield str(said[0]), str(said[1])
    if found.elsewhere:
        yield (
            str(_("Your reply goes to a different address.")),
            str(
                _(
                    "The message is from %(writer)s but asks for replies to %(other)s.",
                    writer=found.written_by,
                    other=found.elsewhere,
                )
            ),
        )


def _origin(entry: Entry, media: Sequence[Media]) -> IconLine | None:
    came = message_content.referral(entry.content)
    if came is None and entry.content.get("forwarded") is True:
        return IconLine("forward", str(_("Forwarded")))
    if came is None or (came.what == "product" and any(one.name for one in _catalogue(entry, media))):
        return None  # it is shown as a card
    return came_from(came)


def _catalogue(entry: Entry, media: Sequence[Media]) -> list[Media]:
    """Return the products in a message, in order; without a name if they are not in the catalogue."""
    both = zip(entry.files, media, strict=True)
    return [replace(one, name=file.name) for file, one in both if file.kind == MessageKind.TEMPLATE]


def came_from(came: message_content.Referral) -> IconLine:
    """Return the line about a customer's origin: an ad, a product or a link."""
    if came.what == "ad":
        said = _("Came from your ad “%(title)s”", title=came.name) if came.name else _("Came from an ad")
    elif came.what == "product":
        said = _("Asks about product %(name)s", name=came.name) if came.name else _("Asks about a product")
    else:
        said = (
            _("Came through the link “%(name)s”", name=came.name) if came.name else _("Came through a link")
        )
    return IconLine("cards" if came.what == "product" else "link", str(said))


def _cards(entry: Entry, media: Sequence[Media], channel: str) -> tuple[Card, ...]:
    found = []
    # Shared items may lack a URL; only those with one have a file. Both are in the same order.
    previews = (each for each in media if each.kind == MessageKind.SHARE)
    for each in message_content.shared(entry.content):
        known = each.what != "unknown"
        preview = next(previews, None) if each.href and known else None
        if not each.title and not each.href and (known or entry.kind == MessageKind.UNSUPPORTED):
            continue
        look = message_kinds.SHARED[each.what]
        place = text_view.host_of(each.href) if each.href else ""
        label = str(look.label) if known else _not_yet(channel)
        found.append(Card(look.icon, label, each.title, each.price, each.href, place, preview))
    if message_content.referral(entry.content) and entry.kind != MessageKind.TEMPLATE:
        asked = str(_("Asks about a product"))
        found += [
            Card("cards", asked, one.name, "", "", "", one) for one in _catalogue(entry, media) if one.name
        ]
    ours = message_content.own_post(entry.content)
    if ours:
        found.append(Card("image", str(_("Your post")), ours, "", "", ""))
    if entry.kind == MessageKind.ORDER:
        look = message_kinds.look_of(entry.kind)
        for line in message_content.order(entry.content):
            title = f"{line.quantity} × {line.product}"
            found.append(Card(look.icon, str(look.label), title, line.price, "", ""))
    return tuple(found)


def _told(entry: Entry) -> tuple[Card, ...]:
    """Return the place or the contacts that a message consists of; its text says the same."""
    look = message_kinds.look_of(entry.kind)
    label = str(look.label)
    if entry.kind == MessageKind.LOCATION and (place := message_content.location(entry.content)):
        href = message_content.map_of(place)
        title = place.name or place.coordinates
        return (Card(look.icon, label, title, place.address, href, text_view.host_of(href)),)
    if entry.kind == MessageKind.CONTACTS:
        every = message_content.contacts(entry.content)
        return tuple(Card(look.icon, label, one.name, one.details, "", "") for one in every)
    return ()


def _custom(entry: Entry, where: BubbleContext) -> tuple[Card, ...]:
    """Return the cards of a message of a kind that only its channel has; none: its text is shown."""
    known = _custom_kind(entry, where)
    if known is None or entry.edited_at is not None:
        return ()
    label = str(_(known.label))
    return tuple(
        Card(known.icon, label, one.title, one.detail, one.href, text_view.host_of(one.href), rows=one.rows)
        for one in message_content.cards_of(known, entry.content)
    )


def _custom_kind(entry: Entry, where: BubbleContext) -> CustomKind | None:
    if entry.kind != MessageKind.CUSTOM:
        return None
    return message_content.custom_kind(entry.content, where.custom_kinds)


def _slides(entry: Entry, media: Sequence[Media]) -> tuple[SlideView, ...]:
    found = [
        SlideView(
            title=slide.title,
            subtitle=slide.subtitle,
            href=slide.href,
            buttons=slide.buttons,
            picture=media[slide.file] if slide.file is not None and 0 <= slide.file < len(media) else None,
        )
        for slide in message_content.slides(entry.content)
    ]
    listed = _catalogue(entry, media)
    if len(listed) == len(found):
        found = [
            replace(slide, title=one.name or slide.title, picture=slide.picture or one)
            for slide, one in zip(found, listed, strict=True)
        ]
    return tuple(found + _products_sent(entry, listed))


def _products_sent(entry: Entry, listed: Sequence[Media]) -> list[SlideView]:
    """Return the products in a message of ours: from the catalogue, or by id with the reason."""
    numbers = message_content.products(entry.content)
    states = [file.state for file in entry.files if file.kind == MessageKind.TEMPLATE]
    known = dict(zip(dict.fromkeys(numbers), zip(listed, states, strict=True), strict=False))
    sent = entry.state in ARRIVED
    why = str(_("Name and price appear if the account has access to the catalog.")) if sent else ""
    found = []
    for number in numbers:
        one, state = known.get(number, (None, ""))
        if one is not None and one.name:
            found.append(SlideView(one.name, number, "", (), one))
        else:
            found.append(SlideView(_product(number), _nameless(state) if one else why, "", (), None))
    return found


def _nameless(state: str) -> str:
    if state == AttachmentState.WAITING:
        return str(_("Looking it up in the catalog…"))
    if state == AttachmentState.LINKED:
        return str(_("Not looked up, because this account stores no files."))
    return str(_("The catalog has no name for it."))


def _product(number: str) -> str:
    return str(_("Product %(number)s", number=number))


def _asked(entry: Entry) -> Iterator[str]:
    """Yield the data requested by the quick replies of *entry*, in words."""
    for ask in message_content.asked(entry.content):
        if ask in message_kinds.ASKED:
            yield str(message_kinds.ASKED[ask])


def _line(entry: Entry, made: Bubble, channel: str) -> IconLine | None:
    """Return the line shown instead of a message, or a part of it, that cannot be displayed."""
    look = message_kinds.look_of(entry.kind)
    if entry.kind == MessageKind.DISAPPEARING:
        return IconLine(
            look.icon, str(_("Disappearing message, shown only in the %(channel)s app", channel=channel))
        )
    if look is message_kinds.UNKNOWN:
        return None if made.cards else _unknown(entry, channel)
    if entry.kind == MessageKind.OPT_IN:
        return IconLine(look.icon, _opted_in(message_content.opt_in(entry.content)))
    if entry.kind == MessageKind.FEEDBACK:
        return IconLine(look.icon, _rated(message_content.rating(entry.content)))
    said = made.words or made.below or made.large or made.tapped
    parts = (
        made.story or made.pictures or made.players or made.files or made.cards or made.slides or made.form
    )
    if said or parts or made.invitation or (made.origin and entry.kind == MessageKind.REFERRAL):
        return None
    return IconLine(look.icon, str(_("An empty message")) if entry.kind == MessageKind.TEXT else made.label)


def _opted_in(found: message_content.OptIn) -> str:
    """Return the line about a customer's opt-in to messages, or its end."""
    title = found.title
    if found.marketing:
        stopped = found.state == "stopped"
        return str(_("Stopped marketing messages") if stopped else _("Accepts marketing messages again"))
    if found.state == "stopped":
        return str(_("Opted out of “%(title)s”", title=title) if title else _("Opted out of messages"))
    if found.state == "resumed":
        return str(
            _("Opted in again to “%(title)s”", title=title) if title else _("Opted in again to messages")
        )
    return str(_("Opted in to “%(title)s”", title=title) if title else _("Opted in to messages"))


def _rated(rating: str) -> str:
    """Return the line about a customer's rating of a message of ours."""
    if rating == "good":
        return str(_("Rated your message as a good response"))
    if rating == "bad":
        return str(_("Rated your message as a bad response"))
    return str(_("Rated your message"))


def _unknown(entry: Entry, channel: str) -> IconLine:
    """Return the line shown instead of a message of an unknown kind."""
    event = message_content.event(entry.content)
    if "comment" in event:
        return IconLine("reply", str(_("Commented on a post")))
    if event == "unsupported":
        text = _("A message type that %(channel)s does not share", channel=channel)
    elif event == "media_placeholder":
        text = _(
            "A file from before this account was connected, which %(channel)s does not share", channel=channel
        )
    else:
        text = _not_yet(channel)
    return IconLine(message_kinds.UNKNOWN.icon, str(text))


def _not_yet(channel: str) -> str:
    return str(_("A message from %(channel)s that Lobby cannot show yet", channel=channel))


class ThreadEntry(msgspec.Struct, frozen=True):
    """An entry of a thread.

    :param who: equal for entries of one person on one side.
    :param day: the reader's day, as a date; *day_label* in words.
    :param label: author, kind and time, for screen readers.
    :param held: whether it waits for a person's decision: an earlier part of its reply was not sent, or the
        customer wrote before its scheduled time.
    :param until: deadline for undoing its reply; None if it cannot be undone.
    :param planned_for: its scheduled time, in words; empty if not scheduled.
    :param leads_to: for an activity line: URL of the conversation it refers to.
    :param comment: its comment data, for an entry below a post; otherwise None.
    :param senders: the account's addresses it can be resent from; empty if there is no choice.
    :param is_final: whether sending it again is no use: the comment that it answers was deleted.
    """

    entry: Entry
    who: str
    name: str
    day: str
    day_label: str
    time: str
    continued: bool
    new_day: bool
    label: str
    bubble: Bubble
    state: str
    waiting_for: str
    waiting_about: str
    held: bool = False
    late: str = ""
    leads_to: str = ""
    sent_by: IconLine | None = None
    standby: str = ""
    until: datetime | None = None
    seconds_left: float = 0
    planned_for: str = ""
    comment: Comment | None = None
    senders: tuple[str, ...] = ()
    is_final: bool = False

    @property
    def out(self) -> bool:
        return self.entry.direction == Direction.OUTBOUND

    @property
    def echo(self) -> bool:
        return self.entry.origin == Origin.PROVIDER and self.entry.private_reply is None

    @property
    def order(self) -> str:
        """Return the thread's sort key, smallest first."""
        if self.comment is not None:
            return self.comment.order
        return f"{micros(self.entry.sent_at):020d}-{self.entry.id:020d}"


def shown(
    entries: Sequence[Entry], row: Row, name: str, adapter: ChannelAdapter | None, now: datetime
) -> list[ThreadEntry]:
    """Return *entries* of *row*'s thread for display, each with whether it continues the one before.

    :param name: the contact's name.
    """
    where = BubbleContext(
        workspace_id=row.account.workspace_id,
        conversation_id=row.id,
        contact=name,
        channel=current_directory().label(row.channel),
        here=frozenset(entry.id for entry in entries),
        mobile_only=frozenset() if adapter is None else frozenset(adapter.capabilities.mobile_only),
        formatting=adapter is not None and adapter.capabilities.formatting,
        settings=row.account.settings,
        originals=adapter is not None and adapter.capabilities.originals,
        custom_kinds=() if adapter is None else adapter.capabilities.custom_kinds,
        answers_invitations=adapter is not None and adapter.capabilities.answers_invitations,
        buttons=frozenset(
            payload
            for entry in entries
            if entry.kind == MessageKind.TEMPLATE
            for payload in message_content.payloads(entry.content)
        ),
    )
    failed = any(entry.state == DeliveryState.FAILED for entry in entries)
    senders = sender_address.choices(adapter, row.account) if failed else ()
    result: list[ThreadEntry] = []
    owner = message_content.Program()
    for entry in entries:
        if entry.content.get("what") == "handed_over" and entry.content.get("how") != Handover.REQUESTED:
            owner = message_content.program(entry.content, "to")
        before = result[-1] if result else None
        who = _who(entry)
        local_day = local(entry.sent_at).date().isoformat()
        new_day = before is None or before.day != local_day
        continued = (
            before is not None
            and not new_day
            and before.who == who
            and who != ""
            and entry.sent_at - before.entry.sent_at < TOGETHER
        )
        author = speaker(entry, where) if entry.direction == Direction.INBOUND else _ours(entry)
        time = durations.clock_time(entry.sent_at)
        made = bubble(entry, where)
        waiting = entry.waiting if entry.state in {DeliveryState.QUEUED, DeliveryState.UNKNOWN} else None
        result.append(
            ThreadEntry(
                entry=entry,
                who=who,
                name=author,
                day=local_day,
                day_label=durations.day(entry.sent_at, now),
                time=time,
                continued=continued,
                new_day=new_day,
                label=str(
                    _(
                        "%(who)s: %(what)s, %(time)s",
                        who=speaker(entry, where),
                        what=made.label,
                        time=time,
                    )
                ),
                bubble=made,
                state=_state(entry, row),
                waiting_for=str(_(waiting["sentence"])) if waiting and waiting.get("sentence") else "",
                waiting_about=_about(waiting.get("until") if waiting else None, now),
                held=(waiting or {}).get("sentence") in {PART_BEFORE_FAILED, *STAYS},
                until=(until := _undone_until(entry, now)),
                seconds_left=0 if until is None else (until - now).total_seconds(),
                planned_for=snooze_times.far(entry.not_before, now, send_times.when(entry.not_before, now))
                if entry.planned and entry.not_before is not None
                else "",
                late=_late(entry),
                leads_to=_leads_to(entry, where),
                sent_by=_sent_by(entry, where.channel)
                if entry.origin == Origin.PROVIDER and entry.private_reply is None
                else None,
                senders=senders if entry.state == DeliveryState.FAILED else (),
                standby=_standby(owner) if message_content.standby(entry.content) else "",
            )
        )
    return result


def _written(entry: Entry) -> str:
    """Return the time a message was written, in words, if it was sent much later."""
    if entry.state == DeliveryState.QUEUED or entry.erased or entry.sent_at - entry.created_at < WAITED:
        return ""
    return str(_("Written %(time)s", time=durations.moment_beside(entry.created_at, entry.sent_at)))


def _leads_to(entry: Entry, where: BubbleContext) -> str:
    id_ = str(entry.content.get("conversation") or "")
    if entry.content.get("what") not in LEADING or not (id_.isascii() and id_.isdigit()):
        return ""
    return url_for("inbox.conversation", workspace_id=where.workspace_id, conversation_id=int(id_))


def _undone_until(entry: Entry, now: datetime) -> datetime | None:
    """Return until when the reply of *entry* can be undone, which its first part determines."""
    at = entry.not_before
    can = at is not None and at > now and not entry.planned and entry.position == 0 and not entry.waiting
    return at if can else None


def _sent_by(entry: Entry, channel: str) -> IconLine:
    """Return the line about the program that sent a message outside of Lobby, if known."""
    sent_by = message_content.program(entry.content, "sent_by")
    if sent_by.who == "provider":
        return IconLine("phone", str(_("Sent from the %(channel)s app", channel=sent_by.name or channel)))
    if sent_by.who == "bot" and sent_by.name:
        return IconLine("bolt", str(_("%(name)s, not Lobby", name=sent_by.name)))
    if sent_by.who in {"other", "bot"} and not (sent_by.name or sent_by.id):
        return IconLine("bolt", str(_("Sent by another program")))
    if sent_by.who == "other":
        return IconLine("bolt", str(_("Sent by another program (%(name)s)", name=sent_by.name or sent_by.id)))
    if sent_by.who == "desk":
        return IconLine("bolt", str(_("Sent with Lobby’s access, but not from Lobby")))
    return IconLine("user", str(_("Not sent from Lobby")))


def _standby(owner: message_content.Program) -> str:
    """Return the sentence about the program that controls the conversation while Lobby only listens."""
    if owner.who in {"provider", "bot"} and owner.name:
        return str(_("%(name)s has this conversation", name=owner.name))
    if owner.who == "other" and (owner.name or owner.id):
        return str(_("Another program (%(name)s) has this conversation", name=owner.name or owner.id))
    return str(_("Another program has this conversation"))


def _late(entry: Entry) -> str:
    """Return a note on a message that arrived, or was sent, long after it was written."""
    if entry.direction == Direction.OUTBOUND and entry.origin != Origin.PROVIDER:
        return _written(entry)
    from_outside = entry.origin in {Origin.CUSTOMER, Origin.PROVIDER} and not entry.imported
    if not from_outside or entry.erased or entry.created_at - entry.sent_at < LATE:
        return ""
    return str(_("Arrived late, %(time)s", time=durations.moment_beside(entry.created_at, entry.sent_at)))


def _ours(entry: Entry) -> str:
    """Return the author of a team message: a member, an API key's name, or automation."""
    origin = entry.origin if entry.private_reply is None else entry.private_reply.origin
    if entry.direction == Direction.OUTBOUND and origin == Origin.SYSTEM:
        return str(entry.content.get("by") or _("Automatic"))  # an addon's replies have its name
    if entry.author_name:
        return entry.author_name
    if entry.origin == Origin.SYSTEM:
        return _program(entry) or str(entry.content.get("by") or "")
    return str(entry.content.get("by") or _("API")) if origin == Origin.API else ""


_PROGRAMS = {
    "rule": (_l("The rule %(name)s"), _l("Private note by the rule %(name)s")),
    "sequence": (_l("The sequence %(name)s"), _l("Private note by the sequence %(name)s")),
    "campaign": (_l("The campaign %(name)s"), _l("Private note by the campaign %(name)s")),
}
"""Kinds of automation in front of an activity and below a note."""


def _kind_of_program(entry: Entry) -> str:
    """Return the kind of automation behind a note or an activity line, of :data:`_PROGRAMS`, or nothing.

    Lines from before sequences and campaigns were told apart are a rule's.
    """
    content = entry.content
    named = next((kind for kind in ("sequence", "campaign") if content.get(kind) is True), "")
    if named or entry.origin != Origin.SYSTEM or content.get("assistant") or content.get("addon"):
        return named
    return "rule" if content.get("by") else ""


def _program(entry: Entry) -> str:
    kind = _kind_of_program(entry)
    return str(_PROGRAMS[kind][0]) % {"name": entry.content.get("by") or ""} if kind else ""


def note_by(entry: Entry) -> str:
    """Return who wrote a note, in words."""
    kind = "" if entry.author_name else _kind_of_program(entry)
    if kind:
        return str(_PROGRAMS[kind][1]) % {"name": entry.content.get("by") or ""}
    name = entry.author_name or entry.content.get("by") or _("someone")
    return str(_("Private note by %(name)s", name=name))


def _state(entry: Entry, row: Row) -> str:
    """Return the delivery state to show: the one before read if the account hides read receipts."""
    if entry.state == DeliveryState.READ and row.account.settings.get("show_seen") is False:
        adapter = current_directory().adapter(row.channel)
        tells = adapter is not None and adapter.capabilities.delivery_reports
        return DeliveryState.DELIVERED if tells else DeliveryState.SENT
    return entry.state or ""


def _who(entry: Entry) -> str:
    """Return a key of the author of *entry*; empty for notes and activity lines."""
    if entry.direction == Direction.INTERNAL:
        return ""
    if entry.direction == Direction.INBOUND:
        return f"in{message_content.author(entry.content)[1]}"
    if entry.private_reply is not None:
        return f"private-{entry.author_id or 0}"
    if entry.origin == Origin.PROVIDER:
        sent_by = message_content.program(entry.content, "sent_by")
        return f"{entry.origin}-{sent_by.who}-{sent_by.id}"
    if entry.origin in {Origin.API, Origin.SYSTEM}:
        return str(entry.origin)
    return f"out-{entry.author_id or 0}"


def _about(until: object, now: datetime) -> str:
    """Return a sentence with the time left until *until* (ISO 8601); empty if that is unknown or past."""
    if not isinstance(until, str):
        return ""
    try:
        at = datetime.fromisoformat(until)
    except ValueError:
        return ""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at <= now:
        return ""
    left = at - now
    if left < timedelta(minutes=1):
        return str(_("Less than a minute."))
    return str(_("About %(time)s.", time=durations.short(left)))


def activity(entry: Entry) -> tuple[str, str]:
    """Return the icon and the sentence of an activity line, even of an unknown activity."""
    icon, sentence = _done(entry)
    if entry.content.get(UNDONE) is True:
        return "unsend", str(_("%(sentence)s (undone)", sentence=sentence))
    return icon, sentence


def _done(entry: Entry) -> tuple[str, str]:
    what = str(entry.content.get("what"))
    if what == "handed_over":
        return "info", _handed_over(entry)
    if what == "not_delivered":
        reason = str(_(str(entry.content.get("reason") or "The reason is not known.")))
        return "alert", str(_("A message of another program was not delivered. %(reason)s", reason=reason))
    if entry.kind == InternalKind.FORWARD:
        return "forward", _forwarded(entry)
    why = GIVEN_BECAUSE.get(str(entry.content.get("why")))
    if why is not None and what in GIVEN:
        icon, sentence = GIVEN[what]
        return icon, str(sentence) % {"name": entry.content.get("name", ""), "why": why}
    icon, sentence = ACTIVITIES.get(what, OTHER_ACTIVITY)
    key = entry.content.get("why")
    why = None if key is None else registry.hooks().reason(key=str(key))
    program = "" if why is not None else _program(entry)  # only assistants give reasons
    who = entry.author_name or program or str(entry.content.get("by") or _("Someone"))
    if what == "handed_to_people" and why is not None:
        return icon, str(_("%(who)s handed this off to the team: %(why)s", who=who, why=why))
    named = {
        "who": who,
        "name": entry.content.get("name", ""),
        "person": entry.content.get("person", ""),
        "until": _until(entry),
    }
    return icon, str(sentence) % named


def _forwarded(entry: Entry) -> str:
    if entry.erased:
        return str(_("A forwarded message was erased"))
    to = ", ".join(message_content.went_to(entry.content, "to"))
    who = entry.author_name or str(entry.content.get("by") or _("Someone"))
    if entry.content.get("whole") is True:
        return str(_("%(who)s forwarded this conversation to %(to)s", who=who, to=to))
    return str(_("%(who)s forwarded a message to %(to)s", who=who, to=to))


def _until(entry: Entry) -> str:
    """Return the time in an activity line, in the reader's time zone; empty if it has none."""
    try:
        until = datetime.fromisoformat(str(entry.content.get("until")))
    except ValueError:
        return ""
    return durations.moment_beside(until, entry.sent_at)


def _handed_over(entry: Entry) -> str:
    """Return the sentence about a handover of the conversation from one app to another."""
    how, note = entry.content.get("how"), str(entry.content.get("note") or "")
    to = message_content.program(entry.content, "to")
    name = str(_("Lobby")) if to.who == "desk" else to.name or (_("App %(id)s", id=to.id) if to.id else "")
    if how == Handover.PASSED and name:
        said = _("%(name)s has this conversation now", name=name)
    elif how == Handover.PASSED:
        said = _("This conversation was handed off from one app to another")
    elif how == Handover.TAKEN:
        said = _("%(name)s took this conversation over", name=name or _("An app"))
    elif how == Handover.REQUESTED:
        said = _("%(name)s asked to take this conversation over", name=name or _("An app"))
    else:
        said = _("App permissions in this conversation changed")
    return str(_("%(what)s: “%(note)s”", what=said, note=note)) if note else str(said)


def is_note(entry: Entry) -> bool:
    """Return whether *entry* is a private note."""
    return entry.kind == InternalKind.NOTE
