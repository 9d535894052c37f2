"""The composer: the data of its template, the channel's tools, and the drafts in its form."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import msgspec
from flask import request
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage

from host.channels.directory import current_directory
from host.core.backports.values import replace
from host.features import registry
from host.inbox.drafts import Draft
from host.inbox.messages import load_messages
from host.inbox.pages import reply_window, send_times
from host.inbox.pages.arguments import form_id
from host.inbox.pages.comments.answering import answering
from host.inbox.pages.composition.shown import NOTHING, along, given
from host.inbox.pages.context import InboxContext
from host.inbox.pages.conversation_view import name_of
from host.inbox.pages.message_view import ThreadEntry
from host.inbox.pages.outreach.shown import NO_WAY, Onward, onward
from host.inbox.queries import Row
from host.inbox.reply import policy_for
from host.inbox.sendable import (
    NotSendableError,
    parse_button,
    parse_contacts,
    parse_location,
    parse_template,
)
from host.inbox.thread_control import elsewhere
from host.media import limits, links, transcode, uploads
from host.models.channels import AccountState
from host.models.inbox import Direction
from host.sdk.channel import Ask, Capabilities, ChannelAdapter, MediaLimits, ReplyState
from host.sdk.messages import MessageKind
from host.web import emoji_names
from host.web.languages import gettext as _

VOICE_TYPES = ("audio/wav", "audio/ogg")
"""Types the recorder can make, best first: any browser makes the first."""
EMOJI = (
    "\u2764\ufe0f",
    "\U0001f602",
    "\U0001f62e",
    "\U0001f622",
    "\U0001f621",
    "\U0001f44d",
    "\U0001f64f",
    "\U0001f389",
)
"""The picker's emoji in order, for channels that accept any emoji."""

_FAMILIES = {
    MessageKind.IMAGE: "image",
    MessageKind.VIDEO: "video",
    MessageKind.AUDIO: "audio",
    MessageKind.FILE: "application",
}
_WRONG_TYPE = {
    MessageKind.IMAGE: _l("Images on this channel must be %(types)s."),
    MessageKind.VIDEO: _l("Videos on this channel must be %(types)s."),
    MessageKind.AUDIO: _l("Audio on this channel must be %(types)s."),
    MessageKind.FILE: _l("Documents on this channel must be %(types)s."),
}
_TOO_LARGE = {
    MessageKind.IMAGE: _l("It is {size}; images on this channel can be up to %(most)s."),
    MessageKind.VIDEO: _l("It is {size}; videos on this channel can be up to %(most)s."),
    MessageKind.AUDIO: _l("It is {size}; audio on this channel can be up to %(most)s."),
    MessageKind.FILE: _l("It is {size}; documents on this channel can be up to %(most)s."),
}


_ASKS = {Ask.PHONE: _l("Ask for their number"), Ask.EMAIL: _l("Ask for their email")}


class Tools(msgspec.Struct, frozen=True):
    """The tools a composer offers besides text.

    :param files: a rule for each kind of file, for the browser; empty if the channel has no files.
    :param accept: file types that the file picker shows first.
    :param voice_bytes: maximum size of a recording; None if voice notes are not supported.
    :param voice_type: the content type of a recording.
    :param reactions: emoji of the picker, in order; empty if the channel has no reactions.
    :param asks: data a quick reply may ask for, each with its label.
    :param ask_alone: whether such a quick reply can't have others beside it.
    :param card_pictures: whether a card can have an uploaded picture, which the provider has to fetch.
    :param mobile_only: content that the customer sees only in the provider's mobile app.
    :param templates: whether an approved template can be sent.
    :param caption: ``most`` and ``kinds`` of the text that is sent below a file; None: it is sent apart.
    """

    files: tuple[dict[str, Any], ...] = ()
    accept: str = ""
    voice_bytes: int | None = None
    voice_type: str = ""
    heart: bool = False
    quick_replies: dict[str, int] | None = None
    asks: tuple[tuple[str, str], ...] = ()
    ask_alone: bool = False
    buttons: dict[str, int] | None = None
    cards: dict[str, int] | None = None
    card_pictures: bool = False
    products: int | None = None
    own_post: bool = False
    location: bool = False
    contacts: bool = False
    quote: bool = False
    reactions: tuple[str, ...] = ()
    typing: bool = False
    mobile_only: tuple[str, ...] = ()
    formatting: bool = False
    templates: bool = False
    caption: dict[str, Any] | None = None

    @property
    def signature(self) -> str:
        """Return a value that changes when the page has to render the composer again."""
        return f"{crc32(repr(self).encode()):08x}"

    @property
    def any(self) -> bool:
        """Whether there is a tool to show below the text."""
        return bool(
            self.files
            or self.heart
            or self.quick_replies
            or self.buttons
            or self.cards
            or self.products
            or self.own_post
            or self.location
            or self.contacts
            or self.templates
        )


NO_TOOLS = Tools()


def tools_of(capabilities: Capabilities, settings: Mapping[str, Any]) -> Tools:
    """Return the tools that both the channel and an account's *settings* allow."""
    media = transcode.taken(capabilities.media)
    audio = capabilities.media.get(MessageKind.AUDIO)
    voice = next((one for one in VOICE_TYPES if audio and one in (audio.content_types or VOICE_TYPES)), "")
    captions = capabilities.captions
    quick, cards, buttons = capabilities.quick_replies, capabilities.template, capabilities.buttons
    return Tools(
        files=tuple(_rule(kind, media[kind]) for kind in _FAMILIES if kind in media),
        accept=_accept(media),
        voice_bytes=audio.max_bytes if audio and voice else None,
        voice_type=voice,
        heart=capabilities.heart,
        quick_replies={"most": quick.most, "title": quick.title_length} if quick else None,
        ask_alone=quick.ask_alone if quick else False,
        asks=tuple((ask.value, str(_ASKS[ask])) for ask in Ask if ask in quick.asks) if quick else (),
        buttons={"most": buttons.buttons, "title": buttons.title_length} if buttons else None,
        cards={
            "elements": cards.elements,
            "buttons": cards.buttons,
            "title": cards.title_length,
            "subtitle": cards.subtitle_length,
            "button_title": cards.button_title_length,
            "payload": cards.payload_length,
        }
        if cards
        else None,
        card_pictures=MessageKind.IMAGE in media and links.reachable(),
        products=capabilities.product_template,
        own_post=capabilities.own_post,
        location=MessageKind.LOCATION in capabilities.sends,
        contacts=MessageKind.CONTACTS in capabilities.sends,
        quote=capabilities.reply_quote,
        reactions=_emoji(capabilities.reactions),
        typing=capabilities.typing and settings.get("typing") is not False,
        mobile_only=tuple(sorted(capabilities.mobile_only)),
        formatting=capabilities.formatting,
        caption={"most": captions.length, "kinds": sorted(captions.kinds)} if captions else None,
    )


def offers_templates(inbox: InboxContext, row: Row) -> bool:
    """Return whether an approved template can be sent to the customer now, whatever the reply window."""
    adapter = inbox.adapter(row)
    if adapter is None or not adapter.capabilities.approved_templates:
        return False
    if row.account_state == AccountState.DISCONNECTED or row.out_of_reach(inbox.now, approved=True):
        return False
    policy = policy_for(adapter, row.account, row.last_inbound_at, inbox.now, approved=True)
    return policy.state is not ReplyState.CLOSED


def _rule(kind: MessageKind, taken: MediaLimits) -> dict[str, Any]:
    """Return the rule by which the browser checks files of *kind*, with its error sentences."""
    types = sorted(taken.content_types)
    return {
        "kind": kind.value,
        "family": _FAMILIES[kind],
        "types": types,
        "extensions": [ending for one in types for ending in limits.ENDINGS.get(one, ())],
        "most": taken.max_bytes,
        "wrong_type": str(_WRONG_TYPE[kind]) % {"types": type_names(taken.content_types)},
        "too_large": str(_TOO_LARGE[kind]) % {"most": limits.megabytes(taken.max_bytes)},
    }


def _accept(media: Mapping[MessageKind, MediaLimits]) -> str:
    if any(not taken.content_types for taken in media.values()):
        return ""
    types = sorted({one for taken in media.values() for one in taken.content_types})
    return ",".join([*types, *(f".{ending}" for one in types for ending in limits.ENDINGS.get(one, ()))])


def _emoji(allowed: frozenset[str] | None) -> tuple[str, ...]:
    if allowed is None:
        return ()
    if not allowed:
        return EMOJI
    known = [one for one in EMOJI if one in allowed]
    return (*known, *sorted(allowed - set(known)))


def type_names(content_types: frozenset[str]) -> str:
    """Return names of content types: ``GIF, JPEG or PNG``."""
    names = sorted({limits.type_name(one) for one in content_types})
    if len(names) < 2:
        return "".join(names)
    return str(_("%(some)s or %(last)s", some=", ".join(names[:-1]), last=names[-1]))


def words(tools: Tools) -> dict[str, str]:
    """Return the translated sentences of the composer's scripts, with placeholders such as ``{n}``.

    :param tools: what the composer offers; sentences about anything else are left out.
    """
    found = {
        "unnamed": _("Unnamed file"),
        "taken": _("Files added: {n}"),
        "wrong-file": _("Files of this type cannot be sent here."),
        "empty-file": _("The file is empty."),
        "not-uploaded": _("The upload failed."),
        "failed-files": _("A file cannot be sent, so nothing was sent."),
        "failed-files-next": _("Remove it or try again, then send."),
        "waiting": _("Uploading files…"),
        "megabytes": _("%(n)s MB", n="{n}"),
        "kilobytes": _("%(n)s kB", n="{n}"),
        "recording": _("Recording."),
        "full": _("The recording reached its maximum length and stopped."),
        "cancelled": _("Recording discarded."),
    }
    if tools.products:
        found["no-id"] = _("“{text}” is not a product ID.")
        found["too-many-products"] = _("You can send up to {most} products at once.")
    if tools.own_post:
        found["no-post"] = _("Enter the post’s ID (digits only) or its link.")
    if tools.location:
        found["no-place"] = _("Paste coordinates, or the whole address of a map.")
    if tools.contacts:
        found["no-contact"] = _("Add a name, and a phone number or an email address.")
    if tools.buttons or tools.cards:
        found["button-long"] = _("It has {used} characters; a label can have {most}.")
        found["button-address"] = _("An address starts with https://.")
        found["buttons-alone"] = _("Buttons need a text above them.")
        found["buttons-alone-next"] = _("Write what they are for, then send.")
    if tools.quick_replies or tools.buttons:
        found["twice"] = _("This answer already exists.")
    if tools.quick_replies:
        found["title-long"] = _("It has {used} characters; an answer can have {most}.")
        found["quick-alone"] = _("Quick replies need a text above them.")
        found["quick-alone-next"] = _("Write your question, then send.")
    if tools.quick_replies and tools.buttons:
        found["buttons-or-quick"] = _("A text can have buttons or quick replies, not both.")
        found["buttons-or-quick-next"] = _("Remove one of them, then send.")
    return {name: str(text) for name, text in found.items()}


def emoji_groups() -> list[tuple[str, str]]:
    """Return the translated names of emoji groups; ``recent`` holds those used last."""
    named = [(key, str(name)) for key, (name, _ranges) in emoji_names.GROUPS.items()]
    return [("recent", str(_("Used last"))), *named]


def voice_problems() -> dict[str, tuple[str, str]]:
    """Return the translated problem and next step for each reason why recording a voice message fails."""
    return {
        "refused": (
            str(_("The browser blocks the microphone on this page.")),
            str(_("Allow it next to the address bar, then try again.")),
        ),
        "missing": (
            str(_("No microphone was found.")),
            str(_("Connect one, then try again.")),
        ),
        "busy": (
            str(_("The microphone could not be used.")),
            str(_("Another program may be using it. Close that program, then try again.")),
        ),
        "encoder": (
            str(_("This browser cannot record in the form that this channel plays.")),
            str(_("Use the newest Chrome, Edge, Firefox or Safari, or attach a recording as a file.")),
        ),
        "insecure": (
            str(_("Browsers only record on secure pages.")),
            str(_("Open Lobby at its https address.")),
        ),
    }


class ComposerState(msgspec.Struct, frozen=True):
    """The composer's form: empty, or a message that could not be sent.

    :param reply_to: id of the message it quotes.
    :param suggestion: id of the suggestion the text came from.
    :param cc: the value entered; None for the initial value.
    :param react_to: id of the message to react to, if no script opens the picker.
    :param reopens: whether sending it reopens the conversation, which somebody closed meanwhile.
    """

    text: str = ""
    problem: str = ""
    next_step: str = ""
    mode: str = "reply"
    reply_to: int | None = None
    react_to: int | None = None
    suggestion: int | None = None
    to: str | None = None
    cc: str | None = None
    bcc: str = ""
    subject: str = ""
    own_address: str = ""
    reopens: bool = False


def composer_values(inbox: InboxContext, row: Row, draft: ComposerState | None = None) -> dict[str, object]:
    """Return the values of the composer's template."""
    adapter = inbox.adapter(row)
    name = name_of(row, adapter)
    draft = draft or ComposerState()
    tools = tools_for(inbox, row)
    about = answering(inbox, row, draft.reply_to)
    composing = reply_window.composing(adapter, row, name, inbox.now)
    if about is not None and composing.can_reply:
        if about.target is None:
            composing = reply_window.nothing_to_answer()
        elif not about.is_possible:
            composing = reply_window.nothing_possible(about.why)
    return {
        "row": row,
        "name": name,
        "label": current_directory().label(row.channel),
        "composing": composing,
        "answering": about,
        **first_mail_values(
            inbox, onward(inbox, row) if not composing.can_reply and about is None else NO_WAY
        ),
        "along": along(inbox.session, row, adapter, inbox.user_id) if composing.can_reply else NOTHING,
        "suggestion": registry.hooks().suggestion(inbox=inbox, row=row, composing=composing)
        if about is None or about.publicly
        else None,
        "elsewhere": elsewhere(inbox.session, row, adapter, inbox.now) if composing.can_reply else None,
        "tools": tools,
        "templates_offered": offers_templates(inbox, row),
        "composer_actions": inbox.directory.composer_actions_shown(),
        "quoted": quoted(inbox, row, draft.reply_to) if tools.quote and draft.reply_to else None,
        "reacting_to": reacting_to(inbox, row, draft.react_to)
        if tools.reactions and draft.react_to
        else None,
        "draft": draft,
        "send_times": send_times.offered(adapter, row.account, row.last_inbound_at, inbox.now),
        "reply_key": uuid.uuid4().hex,
        "note_key": uuid.uuid4().hex,
        "private_key": uuid.uuid4().hex,
    }


def first_mail_values(inbox: InboxContext, onward: Onward) -> dict[str, object]:
    """Return the template values of the form for a first mail, the same as for a reply on the account."""
    account = onward.account
    adapter = None if account is None else inbox.directory.adapter(account.channel)
    values: dict[str, object] = {"onward": onward, "onward_key": uuid.uuid4().hex}
    if account is None or adapter is None:
        return values
    tools = tools_of(adapter.capabilities_of(account), account.settings)
    # There is no message yet to quote or react to, and nobody to send a typing signal.
    tools = replace(tools, quote=False, reactions=(), typing=False, heart=False)
    return {
        **values,
        "onward_tools": tools,
        "onward_times": send_times.offered(adapter, account, None, inbox.now),
    }


def tools_for(inbox: InboxContext, row: Row) -> Tools:
    """Return the tools of a conversation's composer now; none if no reply can be sent."""
    adapter = inbox.adapter(row)
    if adapter is None:
        return NO_TOOLS
    composing = reply_window.composing(adapter, row, "", inbox.now)
    if not composing.can_reply:
        return NO_TOOLS
    capabilities = adapter.capabilities_of(row.account)
    tools = replace(tools_of(capabilities, row.account.settings), templates=offers_templates(inbox, row))
    if capabilities.public:
        tools = replace(tools, quote=False)  # the answered message is chosen differently
    # These are sent without a tag that identifies a person, so they need the full window.
    return replace(tools, reactions=(), typing=False) if composing.people_only else tools


def quoted(inbox: InboxContext, row: Row, message_id: int) -> ThreadEntry | None:
    """Return the message a reply is to quote; None if the conversation has none."""
    entries = load_messages(inbox.session, inbox.workspace_id, row.id, [message_id])
    return next(iter(inbox.shown(row, entries)), None)


def reacting_to(inbox: InboxContext, row: Row, message_id: int) -> ThreadEntry | None:
    """Return the customer's message to react to; None if the conversation has none."""
    shown_ = quoted(inbox, row, message_id)
    if shown_ is None or shown_.entry.direction != Direction.INBOUND:
        return None
    entry = shown_.entry
    return shown_ if entry.addressable and entry.unsent_at is None and not entry.hidden else None


def drafts_from_request(
    workspace_id: int, user_id: int, adapter: ChannelAdapter | None, signature: str = ""
) -> list[Draft]:
    """Return the drafts of the form being sent: files first, then what has a kind of its own, the text last.

    A text with buttons is a template; one with quick replies stays a text.

    Without scripts the form contains the files, which are stored here, so do not call this inside a
    transaction.

    :param signature: the signature below each of them; empty for none.
    :raises InvalidError: if a field is malformed.
    :raises NotSendableError: code ``bad_content`` if the template or a button is invalid, or a text has both
        buttons and quick replies.
    :raises FileRefusedError: for a file that is not accepted.
    """
    beside = {**given(adapter), **({"signature": signature} if signature else {})}
    return [
        replace(one, content={**one.content, **beside}) for one in _drafts(workspace_id, user_id, adapter)
    ]


def _drafts(workspace_id: int, user_id: int, adapter: ChannelAdapter | None) -> list[Draft]:
    form = request.form
    files = (*form.getlist("upload"), *taken_files(workspace_id, user_id, adapter))
    offered = [_quick_reply(one) for one in form.getlist("quick_reply") if one]
    offered += [{"ask": one} for one in form.getlist("quick_reply_ask") if one]
    buttons = [parse_button(one) for one in form.getlist("button") if one]
    quoted = form_id("reply_to")
    drafts: list[Draft] = []
    text = form.get("text", "")
    can = None if adapter is None else adapter.capabilities
    captioned = can is not None and can.captions is not None and text.strip() and not (buttons or offered)
    together = bool((can is not None and can.text_with_files) or captioned)
    if files and not together:
        drafts.append(Draft(uploads=files))
    if form.get("template", "").strip():
        drafts.append(Draft(MessageKind.TEMPLATE, content=parse_template(form["template"])))
    products = [one for one in form.getlist("product") if one.strip()]
    if products:
        drafts.append(Draft(MessageKind.TEMPLATE, content={"products": products}))
    if form.get("own_post", "").strip():
        drafts.append(Draft(MessageKind.SHARE, content={"own_post": form["own_post"]}))
    if form.get("location", "").strip():
        drafts.append(Draft(MessageKind.LOCATION, content=parse_location(form["location"])))
    contacts = [one for one in form.getlist("contact") if one.strip()]
    if contacts:
        drafts.append(Draft(MessageKind.CONTACTS, content=parse_contacts(contacts)))
    if form.get("heart") == "1":
        drafts.append(Draft(MessageKind.STICKER, content={"sticker": "heart"}))
    if buttons:
        if offered:
            raise NotSendableError(
                "bad_content",
                _l("A text can have buttons or quick replies, not both."),
                next_step=_l("Remove one of them, then send."),
            )
        template = {"text": text, "buttons": buttons}
        drafts.append(Draft(MessageKind.TEMPLATE, content={"template": template}, reply_to=quoted))
    elif text.strip() or offered or (files and together) or not drafts:
        content = {"quick_replies": offered} if offered else {}
        theirs = files if together else ()
        drafts.append(Draft(text=text, uploads=theirs, content=content, reply_to=quoted))
    elif quoted is not None:
        drafts[0] = replace(drafts[0], reply_to=quoted)
    return drafts


def taken_files(workspace_id: int, user_id: int, adapter: ChannelAdapter | None) -> list[str]:
    """Return the ids of the files in the form, in order."""
    media = None if adapter is None else adapter.capabilities.media
    return [
        uploads.keep_upload(
            one.stream, one.filename or "", workspace_id=workspace_id, user_id=user_id, media=media
        ).id
        for one in request.files.getlist("file")
        if _chosen(one)
    ]


def _chosen(file: FileStorage) -> bool:
    """Return whether a file was chosen; browsers also send empty fields."""
    return bool(file.filename)


def _quick_reply(raw: str) -> dict[str, str]:
    """Return the quick reply of a field ``title|payload``. Equal title and payload may contain a bar."""
    half = len(raw) // 2
    if raw[half : half + 1] == "|" and raw[:half] == raw[half + 1 :]:
        return {"title": raw[:half], "payload": raw[:half]}
    title, _bar, payload = raw.partition("|")
    return {"title": title, "payload": payload}
