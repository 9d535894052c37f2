"""What people do in the inbox. Each view takes a form, calls one use case, and goes back to the page.

A browser with scripts asks for JSON and stays where it is; without, the page comes again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host import clock, db
from host.delivery import outbox
from host.errors import ConflictError, InvalidError, LobbyError
from host.inbox import assignment, courtesies, hiding, notes, queries, reacting, reading, status, threads
from host.inbox.arguments import filter_from_request, form_id
from host.inbox.blueprint import bp
from host.inbox.cleaning import clean_written
from host.inbox.errors import ConversationNotFoundError, MessageNotFoundError
from host.inbox.models import Message
from host.inbox.pages import Desk, Draft, render_messages
from host.inbox.queries import Row
from host.inbox.reply import Overflow, parts_of, queue_parts
from host.inbox.replying import drafts_from_request
from host.inbox.sendable import NotSendableError
from host.media.limits import MAX_BYTES
from host.sdk.text import byte_length, truncate
from host.web import body_limit, current_user, flash_bad, generation, passive, wants_json, workspace_view

FORM_BYTES = 1024 * 1024
"""What a reply takes besides the one large file that may come along where there are no scripts."""


def _back(workspace_id: int, conversation_id: int, **values: Any) -> ResponseReturnValue:
    arguments: dict[str, Any] = dict(filter_from_request(generation().directory).arguments())
    address = url_for(
        "inbox.conversation",
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        **arguments,
        **values,
    )
    return redirect(address, 303)


def _row(workspace_id: int, conversation_id: int) -> Row:
    with db.read() as session:
        row = queries.get_row(session, workspace_id, conversation_id)
    if row is None:
        raise ConversationNotFoundError()
    return row


def _overflow(row: Row) -> Overflow:
    """Return what to do with a text that is too long: as chosen now, else as the account is set."""
    chosen = request.form.get("overflow") or str(row.account.settings.get("overflow") or "split")
    return cast(Overflow, chosen)  # the use case refuses any other


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/reply")
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view()
def reply(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Send a reply, with everything that goes along."""
    row = _row(workspace_id, conversation_id)
    adapter = generation().directory.adapter(row.channel)
    author_id = current_user().id

    def use_case() -> list[Message]:
        drafts = drafts_from_request(workspace_id, author_id, adapter)
        return db.write(
            queue_parts,
            workspace_id=workspace_id,
            conversation_id=conversation_id,
            author_id=author_id,
            drafts=drafts,
            reply_key=request.form.get("reply_key", ""),
            overflow=_overflow(row),
            adapter=adapter,
            now=clock.now(),
        )

    return _written(workspace_id, conversation_id, "reply", use_case)


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/note")
@workspace_view()
def note(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Add a private note."""

    def use_case() -> list[Message]:
        note_ = db.write(
            notes.add_note,
            workspace_id=workspace_id,
            conversation_id=conversation_id,
            author_id=current_user().id,
            text=request.form.get("text", ""),
            reply_key=request.form.get("reply_key", ""),
            now=clock.now(),
        )
        return [note_]

    return _written(workspace_id, conversation_id, "note", use_case)


def _written(
    workspace_id: int, conversation_id: int, mode: str, use_case: Callable[[], list[Message]]
) -> ResponseReturnValue:
    """Run *use_case* and show what it made; if it refused, show why and keep the text."""
    try:
        messages = use_case()
    except ConversationNotFoundError:
        raise
    except LobbyError as error:
        sentence, next_step = str(_(error.sentence)), error.next_step
        if wants_json():
            body = {"code": error.code, "message": sentence, "next": next_step}
            return jsonify(error=body, reply_key=uuid.uuid4().hex), error.status
        from host.inbox.views import inbox_page

        draft = Draft(request.form.get("text", ""), sentence, next_step, mode, _quoted())
        return inbox_page(workspace_id, conversation_id, draft), error.status
    if not wants_json():
        return _back(workspace_id, conversation_id)
    ids = [message.id for message in messages]
    with db.read() as session:
        desk = Desk(session, generation().directory, workspace_id, current_user().id, clock.now())
        row = desk.row(conversation_id)
        entries = desk.shown(row, threads.load_messages(session, workspace_id, conversation_id, ids))
    return jsonify(messages=render_messages(desk, row, entries), reply_key=uuid.uuid4().hex)


def _quoted() -> int | None:
    """Return the message the form quotes, to be drawn again; nothing where the field is out of shape."""
    try:
        return form_id("reply_to")
    except InvalidError:
        return None


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/overflow")
@passive
@workspace_view()
def overflow(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return what a text that is too long would become: nothing is sent. Empty where it fits after all."""
    row = _row(workspace_id, conversation_id)
    adapter = generation().directory.adapter(row.channel)
    text = clean_written(request.form.get("text", ""))
    limit = adapter.capabilities.text_limit_bytes if adapter is not None else None
    if limit is None or byte_length(text) <= limit:
        return jsonify(html="", count=1 if text else 0)
    kept = truncate(text, limit)
    parts = parts_of(text, limit, "split")
    html = render_template(
        "inbox/_overflow.html",
        parts=[(part, byte_length(part)) for part in parts],
        kept=kept,
        cut=text[len(kept) :],
        limit=limit,
        choice="truncate" if _overflow(row) == "truncate" else "split",
    )
    return jsonify(html=html, count=len(parts))


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/assign")
@workspace_view()
def assign(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Give the conversation to a member, or to nobody."""
    assignee_id = form_id("assignee")
    db.write(
        assignment.assign,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        assignee_id=assignee_id,
        author_id=current_user().id,
        now=clock.now(),
    )
    return _done(workspace_id, conversation_id)


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/close")
@workspace_view()
def close(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Close the conversation."""
    return _set_status(status.close, workspace_id, conversation_id)


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/reopen")
@workspace_view()
def reopen(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Open the conversation again."""
    return _set_status(status.reopen, workspace_id, conversation_id)


def _set_status(
    use_case: Callable[..., bool], workspace_id: int, conversation_id: int
) -> ResponseReturnValue:
    db.write(
        use_case,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        author_id=current_user().id,
        now=clock.now(),
    )
    return _done(workspace_id, conversation_id)


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/read")
@workspace_view()
def read(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Note that somebody has looked at the conversation up to a message."""
    until = form_id("until")
    if until is not None:
        news = db.write(
            reading.mark_read, workspace_id=workspace_id, conversation_id=conversation_id, until=until
        )
        if news:
            row = _row(workspace_id, conversation_id)
            courtesies.show_seen(row, generation().directory.adapter(row.channel))
    return _done(workspace_id, conversation_id)


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/typing")
@passive
@workspace_view()
def typing(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Note that somebody writes to the customer (``on=1``), or no longer does."""
    row = _row(workspace_id, conversation_id)
    courtesies.show_typing(
        row, generation().directory.adapter(row.channel), request.form.get("on", "") == "1"
    )
    return "", 204


@bp.post("/w/<int:workspace_id>/inbox/<int:conversation_id>/messages/<int:message_id>/react")
@workspace_view()
def react(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Put the team's reaction on a message; an empty ``emoji`` takes it away."""
    row = _row(workspace_id, conversation_id)
    try:
        db.write(
            reacting.react,
            workspace_id=workspace_id,
            conversation_id=conversation_id,
            message_id=message_id,
            emoji=request.form.get("emoji", ""),
            author_id=current_user().id,
            adapter=generation().directory.adapter(row.channel),
            now=clock.now(),
        )
    except (ConflictError, NotSendableError) as error:
        if wants_json():
            raise
        flash_bad(error.sentence)
    return _done(workspace_id, conversation_id)


def _message_action(name: str, use_case: Callable[[Session, int], Any]) -> None:
    def view(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
        def write(session: Session) -> None:
            message = session.get(Message, message_id)
            if (
                message is None
                or message.workspace_id != workspace_id
                or message.conversation_id != conversation_id
            ):
                raise MessageNotFoundError()
            use_case(session, message_id)

        try:
            db.write(write)
        except outbox.StateMovedOnError as error:
            if wants_json():
                raise
            flash_bad(error.sentence)
        return _done(workspace_id, conversation_id)

    view.__name__ = name
    rule = f"/w/<int:workspace_id>/inbox/<int:conversation_id>/messages/<int:message_id>/{name}"
    bp.post(rule, endpoint=name)(workspace_view()(view))


_message_action("retry", outbox.retry)
_message_action("send_again", outbox.send_again)
_message_action("check", outbox.check_now)
_message_action("hide", hiding.hide)
_message_action("show_again", hiding.show_again)


def _done(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    return jsonify(ok=True) if wants_json() else _back(workspace_id, conversation_id)
