"""The picker of approved templates: the account's templates, one to fill in, and sending it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import sqlalchemy as sa
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import NotFoundError
from host.inbox import approved, approved_fetching
from host.inbox.contacts import marketing, people
from host.inbox.drafts import Draft
from host.inbox.pages import message_content
from host.inbox.pages.action_views import CONVERSATION, FORM_BYTES, beside_from_form, show_written
from host.inbox.pages.arguments import form_id
from host.inbox.pages.composer import taken_files
from host.inbox.pages.context import bp, with_conversation
from host.inbox.queries import Row
from host.inbox.reply import AT_ONCE, queue_parts
from host.inbox.variable_values import values_of_conversation
from host.media.limits import ENDINGS, MAX_BYTES
from host.models.inbox import Message
from host.sdk.approved import PLACEHOLDER
from host.sdk.channel import AccountRef, ApprovedTemplate, ChannelAdapter, MediaLimits
from host.sdk.messages import MessageKind
from host.users.actor import UnitOfWork
from host.web.languages import gettext as _
from host.web.languages import language_name
from host.web.request_helpers import (
    Permission,
    body_limit,
    current_user,
    seen_accounts,
    workspace_view,
    write,
)

TEMPLATES = f"{CONVERSATION}/templates"
PARAMETER = "parameter."
"""Prefix of the form fields of parameters."""


class ParameterField(msgspec.Struct, frozen=True):
    """A field of a template's form."""

    key: str
    label: str
    example: str
    value: str
    max_length: int


class TextPiece(msgspec.Struct, frozen=True):
    """A literal part of a text, or the place of the parameter *key*, which shows *text* while it is empty."""

    text: str
    key: str = ""


class ButtonView(msgspec.Struct, frozen=True):
    """A button of a preview, and the address it opens or the number it calls."""

    title: str
    target: tuple[TextPiece, ...]


class TemplateView(msgspec.Struct, frozen=True):
    """A template as the picker shows it.

    :param why: why it cannot be sent; empty if it can.
    :param file: the kind of file it needs; empty if it needs none. *accept*: the file types it can have.
    :param reply_key: the key it is sent with.
    """

    template: ApprovedTemplate
    state: str
    language: str
    category: str
    price: str
    why: str
    header: tuple[TextPiece, ...]
    body: tuple[TextPiece, ...]
    footer: tuple[TextPiece, ...]
    buttons: tuple[ButtonView, ...]
    fields: tuple[ParameterField, ...]
    file: str
    accept: str
    reply_key: str

    @property
    def words(self) -> str:
        """The text that a search looks in."""
        named = (self.template.name, *(piece.text for piece in (*self.header, *self.body)))
        return " ".join(" ".join(named).split()).casefold()


class Target(msgspec.Struct, frozen=True):
    """The recipient of a template, and where the picker loads and sends its forms.

    :param fields: hidden fields of the forms, by name.
    """

    adapter: ChannelAdapter
    account: AccountRef
    list_url: str
    send_url: str
    fields: Mapping[str, str]

    def page_url(self, after: str) -> str:
        """Return the address of the templates *after* a mark of the provider; empty: of the first."""
        if not after:
            return self.list_url
        return f"{self.list_url}{'&' if '?' in self.list_url else '?'}{urlencode({'after': after})}"


class Refusal(msgspec.Struct, frozen=True):
    """Messages that the contact refused.

    :param automatic: whether they opted out of automated messages.
    :param stopped: title of the messages they opted out of at the provider; None if they did not.
    """

    automatic: bool = False
    stopped: str | None = None


def _target(row: Row) -> Target:
    """Return the customer of a conversation as the target of a template.

    :raises NotFoundError: if the channel has no templates.
    """
    adapter = current_directory().adapter(row.channel)
    if adapter is None or not adapter.capabilities.approved_templates:
        raise NotFoundError()
    own: dict[str, Any] = {"workspace_id": row.account.workspace_id, "conversation_id": row.id}
    return Target(
        adapter,
        row.account,
        list_url=url_for("inbox.template_list", **own),
        send_url=url_for("inbox.send_template", **own),
        fields={"seen": "", "reopen": ""},
    )


@bp.get(TEMPLATES)
@workspace_view(Permission.ANSWER)
@with_conversation
def templates(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Return the picker, still without templates."""
    target = _target(row)
    with db.read() as session:
        return picker(target, refusal_of(session, workspace_id, row.contact_id, row.account, row.id))


@bp.get(f"{TEMPLATES}/list")
@workspace_view(Permission.ANSWER)
@with_conversation
def template_list(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Return a page of the account's templates, or why it could not be loaded."""

    def about() -> tuple[Mapping[str, str], Refusal]:
        with db.read() as session:
            values = values_of_conversation(session, row, current_user().id)
            return values, refusal_of(session, workspace_id, row.contact_id, row.account, row.id)

    return page_of_templates(_target(row), about)


@bp.post(TEMPLATES)
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
@with_conversation
def send_template(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Send a filled-in template."""
    target = _target(row)

    def use_case() -> list[Message]:
        draft = filled_in(target)  # asks the provider: outside of the write
        beside = beside_from_form(AT_ONCE)

        def queue(work: UnitOfWork) -> list[Message]:
            reply_key, seen_id = request.form.get("reply_key", ""), form_id("seen")
            messages = queue_parts(
                work, row.id, [draft], reply_key=reply_key, adapter=target.adapter, seen_id=seen_id
            )
            beside(work, messages)
            return messages

        return write(queue)

    return show_written(workspace_id, row.id, "reply", use_case)


def picker(target: Target, refused: Refusal) -> str:
    """Return the picker, still without templates."""
    states = [(state.value, str(name)) for state, name in approved.STATES.items()]
    return render_template("inbox/templates/_picker.html", target=target, refused=refused, states=states)


def page_of_templates(target: Target, about: Callable[[], tuple[Mapping[str, str], Refusal]]) -> str:
    """Return a page of the account's templates, or why it could not be loaded.

    :param about: returns the values of variables, and what the contact refused, once the provider answered.
    """
    after = request.args.get("after", "")
    try:
        page = approved_fetching.page(target.adapter, target.account, after)
    except approved_fetching.TemplatesNotListedError as error:
        return render_template("inbox/templates/_failed.html", error=error, target=target, after=after)
    values, refused = about()
    return render_template(
        "inbox/templates/_list.html",
        target=target,
        templates=[_shown(one, values, target.adapter.capabilities.media) for one in page.templates],
        after=page.after,
        refused=refused,
        suggested=sorted({one for one in values.values() if one}),
    )


def filled_in(target: Target) -> Draft:
    """Return the template of the form, filled in, with its file stored.

    :raises NotSendableError: as :func:`host.inbox.approved.draft_of`.
    :raises TemplateNotFoundError: if the account has no such template any more.
    """
    template = approved_fetching.find(target.adapter, target.account, request.form.get("template", ""))
    given = {
        name.removeprefix(PARAMETER): value
        for name, value in request.form.items()
        if name.startswith(PARAMETER)
    }
    draft = approved.draft_of(template, given)  # checked before a file is stored
    files = tuple(taken_files(target.account.workspace_id, current_user().id, target.adapter))
    return approved.draft_of(template, given, uploads=files) if files else draft


def refusal_of(
    session: Session, workspace_id: int, contact_id: int, account: AccountRef, conversation_id: int | None
) -> Refusal:
    """Return what a contact refused.

    :param account: the account that would write.
    :param conversation_id: the conversation with them on the channel; None if there is none yet.
    """
    contact = people.get(session, workspace_id, contact_id, accounts=seen_accounts())
    newest = (
        sa.select(Message.content)
        .where(Message.conversation_id == conversation_id, Message.kind == MessageKind.OPT_IN)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    found = message_content.opt_in(session.scalar(newest) or {})
    stopped = found.title if found.state == "stopped" and not found.marketing else None
    if stopped is None and marketing.stopped(session, contact_id, account.channel, account.id):
        stopped = ""
    return Refusal(not contact.accepts_automatic, stopped)


def _shown(
    template: ApprovedTemplate, values: Mapping[str, str], media: Mapping[MessageKind, MediaLimits]
) -> TemplateView:
    suggested = approved.suggestions(template, values)
    fields = tuple(
        ParameterField(
            one.key, approved.label_of(one), one.example, suggested.get(one.key, ""), one.max_length
        )
        for one in approved.parameters_of(template)
    )
    named = {one.key: one.example or one.label for one in fields}
    kind = approved.file_kind(template)
    limits = media.get(kind) if kind is not None else None
    types = sorted(limits.content_types) if limits else ()
    return TemplateView(
        template=template,
        state=str(approved.STATES[template.state]),
        language=language_name(template.language),
        category=_(template.category) if template.category else "",
        price=_(template.price) if template.price else "",
        why=approved.why_not(template),
        header=_pieces(template.header.text if template.header else "", named),
        body=_pieces(template.body, named),
        footer=_pieces(template.footer, named),
        buttons=tuple(
            ButtonView(one.title, _pieces(one.url or one.phone, named)) for one in template.buttons
        ),
        fields=fields,
        file="" if kind is None else kind.value,
        accept=",".join([*types, *(f".{ending}" for one in types for ending in ENDINGS.get(one, ()))]),
        reply_key=uuid.uuid4().hex,
    )


def _pieces(text: str, named: Mapping[str, str]) -> tuple[TextPiece, ...]:
    found: list[TextPiece] = []
    end = 0
    for match in PLACEHOLDER.finditer(text):
        found.append(TextPiece(text[end : match.start()]))
        found.append(TextPiece(named.get(match[1], match[1]), match[1]))
        end = match.end()
    found.append(TextPiece(text[end:]))
    return tuple(piece for piece in found if piece.text)
