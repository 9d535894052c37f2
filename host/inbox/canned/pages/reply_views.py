"""Canned replies in the composer, and Settings -> Canned replies, where people manage them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from babel import Locale
from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db, storage
from host.core.backports.values import replace
from host.core.errors import LobbyError, NotFoundError
from host.inbox import variables
from host.inbox.canned import replies
from host.inbox.canned.models import CannedFile
from host.inbox.canned.replies import ANY, CannedReplyError, CannedReplyInput, CannedReplyView, Viewer
from host.inbox.pages.action_views import CONVERSATION, FORM_BYTES
from host.inbox.pages.context import InboxContext, opened_inbox
from host.inbox.queries import Row
from host.inbox.variable_values import values_of_conversation
from host.media import files, limits, uploads
from host.media.limits import MAX_BYTES, FileRefusedError
from host.media.uploads import Upload
from host.models.channels import ChannelAccount, ref
from host.sdk.capabilities import Capabilities
from host.sdk.messages import MessageKind
from host.sdk.text import TextLimit, TextUnit, length
from host.web import navigation
from host.web.languages import gettext as _
from host.web.languages import reader
from host.web.portions import portion
from host.web.request_helpers import (
    Permission,
    body_limit,
    config,
    current_user,
    flash_good,
    id_argument,
    id_in,
    seen_accounts,
    shown_workspace,
    workspace_view,
    write,
)

bp = Blueprint("canned", __name__, template_folder="../templates")

navigation.add_settings(
    "canned.index",
    _l("Canned replies"),
    order=21,
    section=navigation.REPLIES,
    icon="book",
    words="templates, snippets, saved replies, Vorlagen, Textbausteine, Antworten",
)

SETTINGS = "/w/<int:workspace_id>/settings/canned"
MOST_OFFERED = 60
"""Maximum number of canned replies the composer loads at a time; with more, it searches as people type."""
_CODES = (
    "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu "
    "id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv sw ta th tr uk ur vi zh"
)
LANGUAGES = tuple(_CODES.split())
"""The languages offered for a text. Other languages, set by a program, stay."""

_SAMPLE = {
    "contact.name": _l("Rosa Sample"),
    "contact.first_name": _l("Rosa"),
    "contact.handle": "@rosa.sample",
    "contact.email": "rosa@example.com",
}


def current_viewer() -> Viewer:
    """Return the signed-in person as a viewer of canned replies and macros."""
    workspace = shown_workspace()
    keeps = workspace is not None and workspace.may(Permission.SHARED)
    return Viewer(current_user().id, keeps)


def whose_text(shown: CannedReplyView) -> str:
    """Return the owner of a canned reply, in a word."""
    if shown.own:
        return str(_("Mine"))
    return shown.team or str(_("Everyone"))


def language_name(code: str) -> str:
    """Return the name of a language, in the reader's language."""
    if code == ANY:
        return str(_("Any language"))
    locale = reader().locale or Locale("en")
    base, _hyphen, place = code.partition("-")
    name = str(locale.languages.get(base, base))
    return f"{name} ({place})" if place else name


# ---- in the composer -----------------------------------------------------------------------------------


@bp.get(f"{CONVERSATION}/canned")
@workspace_view(Permission.ANSWER)
def offered(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return the most used canned replies, or matches for ``q``, as JSON, filled in for a conversation."""
    search = request.args.get("q", "")[:100]
    viewer = current_viewer()
    with opened_inbox(workspace_id) as inbox:
        row = _row(inbox, conversation_id)
        found = replies.listing(inbox.session, workspace_id, viewer, search=search)
        values = values_of_conversation(inbox.session, row, viewer.user_id)
        languages = _languages(inbox.session, row)
    adapter = inbox.adapter(row)
    capabilities = None if adapter is None else adapter.capabilities_of(row.account)
    limit = capabilities.text_limit if capabilities else None
    some = [_offered(one, values, languages, capabilities) for one in found[:MOST_OFFERED]]
    return jsonify(replies=some, total=len(found), limit=None if limit is None else int(limit))


def _row(inbox: InboxContext, conversation_id: int) -> Row:
    """Return the conversation, with the ``account`` in the URL, if any, for a first mail.

    :raises NotFoundError: if the person sees no such account.
    """
    row, account_id = inbox.row(conversation_id), id_argument("account")
    if account_id is None:
        return row
    account, seen = inbox.session.get(ChannelAccount, account_id), seen_accounts()
    if account is None or account.workspace_id != inbox.workspace_id:
        raise NotFoundError()
    if seen is not None and account_id not in seen:
        raise NotFoundError()
    return replace(row, account=ref(account), channel=account.channel)


def _languages(session: Session, row: Row) -> list[str]:
    return [*replies.languages_for(session, row), config().language, str(reader().locale or "en")]


def _offered(
    shown: CannedReplyView,
    values: Mapping[str, str],
    languages: Sequence[str],
    capabilities: Capabilities | None,
) -> dict[str, Any]:
    limit = capabilities.text_limit if capabilities else None
    texts = {code: _filled(text, values, limit) for code, text in shown.texts.items()}
    language = replies.preferred(shown.texts, languages)
    over = max(0, texts[language]["length"] - limit) if limit and language in texts else 0
    refused = [name for file in shown.files if (name := _refused(file, capabilities))]
    return {
        "id": shown.id,
        "shortcut": shown.shortcut,
        "title": shown.title,
        "whose": whose_text(shown),
        "files": [file.name for file in shown.files],
        "refused": refused,
        "over": over,
        "language": language,
        "languages": [[code, code.upper() if code != ANY else str(_("Any"))] for code in texts],
        "texts": texts,
    }


def _filled(text: str, values: Mapping[str, str], limit: TextLimit | None) -> dict[str, Any]:
    parts = _parts(text, values)
    written = variables.text_of(parts)
    return {
        "text": written,
        "parts": [[part.state, part.label or part.text] for part in parts],
        "length": length(written, TextUnit.BYTES if limit is None else limit.unit),
    }


def _parts(text: str, values: Mapping[str, str]) -> list[variables.FilledPart]:
    """Return the parts of a saved text; an unparsable one, maybe from a later Lobby, stays unchanged."""
    try:
        return variables.fill(variables.parse(text), values)
    except variables.VariableError:
        return [variables.FilledPart(text, "words")]


def _refused(file: CannedFile, capabilities: Capabilities | None) -> str:
    """Return the name of a file the channel doesn't accept, with the reason; empty if it accepts it."""
    try:
        media = None if capabilities is None else capabilities.media
        limits.check(MessageKind(file.kind), file.content_type, file.size, media, name=file.name)
    except FileRefusedError as error:
        return f"{file.name}: {error.sentence}"
    return ""


@bp.post(f"{CONVERSATION}/canned/<int:canned_id>/files")
@workspace_view(Permission.ANSWER)
def take_files(workspace_id: int, conversation_id: int, canned_id: int) -> ResponseReturnValue:
    """Create uploads from the files of a canned reply that the channel accepts, for the person to send."""
    viewer, now = current_viewer(), clock.now()
    with opened_inbox(workspace_id) as inbox:
        row = _row(inbox, conversation_id)
    adapter = current_directory().adapter(row.channel)
    capabilities = None if adapter is None else adapter.capabilities_of(row.account)

    def use_case(session: Session) -> list[Upload]:
        shown = replies.seen(session, workspace_id, canned_id, viewer)
        fits = tuple(file for file in shown.files if not _refused(file, capabilities))
        return replies.take_files(
            session, replace(shown, files=fits), workspace_id=workspace_id, user_id=viewer.user_id, now=now
        )

    made = db.write(use_case)
    return jsonify(
        files=[
            {
                "id": one.id,
                "kind": str(one.kind),
                "name": one.name,
                "size": one.size,
                "url": url_for("media.uploaded", workspace_id=workspace_id, upload_id=one.id),
            }
            for one in made
        ]
    )


# ---- settings ------------------------------------------------------------------------------------------


class CannedReplyForm(msgspec.Struct, frozen=True):
    """The form of a canned reply.

    :param whose: ``all``, ``own``, or ``team-`` and its id.
    :param texts: language and text of each block, in order.
    :param keep: ids of the files to keep; None for all.
    :param uploads: files that were added and not yet saved.
    """

    whose: str = "own"
    shortcut: str = ""
    title: str = ""
    texts: Sequence[tuple[str, str]] = ((ANY, ""),)
    keep: frozenset[int] | None = None
    uploads: Sequence[Upload] = msgspec.field(default_factory=tuple)

    @classmethod
    def of(cls, shown: CannedReplyView) -> CannedReplyForm:
        whose = "own" if shown.own else "all" if shown.team_id is None else f"team-{shown.team_id}"
        order = sorted(shown.texts.items(), key=lambda one: (one[0] != ANY, one[0]))
        return cls(whose, shown.shortcut, shown.title, order or ((ANY, ""),))

    def wanted(self) -> CannedReplyInput:
        """Return the canned reply to save.

        :raises CannedReplyError: if a language occurs twice.
        """
        texts: dict[str, str] = {}
        for code, text in self.texts:
            if text.strip() and texts.get(code, "").strip():
                raise CannedReplyError(
                    _l("The same language was chosen twice. Nothing was saved."),
                    next_step=_l("Choose another language for one of the texts."),
                    field="texts",
                )
            texts[code] = texts.get(code) or text
        team = self.whose.removeprefix("team-")
        return CannedReplyInput(
            shortcut=self.shortcut,
            title=self.title,
            texts=texts,
            team_id=id_in(team) if team != self.whose else None,
            own=self.whose == "own",
            keep=self.keep,
            uploads=tuple(one.id for one in self.uploads),
        )


@bp.get(SETTINGS)
@workspace_view(Permission.ANSWER)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the canned replies a person sees, most used first, or matches for ``q``."""
    search = request.args.get("q", "")[:100]
    with db.read() as session:
        rows = replies.listing(session, workspace_id, current_viewer(), search=search)
    return render_template(
        "canned/index.html",
        part=portion(rows),
        search=search,
        whose_text=whose_text,
        language_name=language_name,
    )


@bp.get(f"{SETTINGS}/new")
@workspace_view(Permission.ANSWER)
def new(workspace_id: int) -> ResponseReturnValue:
    """Show the form for a new canned reply."""
    return _form(workspace_id, None, CannedReplyForm(whose="all" if current_viewer().keeps else "own"))


@bp.get(f"{SETTINGS}/<int:canned_id>")
@workspace_view(Permission.ANSWER)
def reply(workspace_id: int, canned_id: int) -> ResponseReturnValue:
    """Show the form of a canned reply, read-only for people who may not change it."""
    shown = _seen(workspace_id, canned_id)
    return _form(workspace_id, shown, CannedReplyForm.of(shown))


def _seen(workspace_id: int, canned_id: int) -> CannedReplyView:
    with db.read() as session:
        return replies.seen(session, workspace_id, canned_id, current_viewer())


def _form(
    workspace_id: int,
    shown: CannedReplyView | None,
    filling: CannedReplyForm,
    problem: LobbyError | None = None,
) -> ResponseReturnValue:
    viewer = current_viewer()
    with db.read() as session:
        teams = replies.my_teams(session, workspace_id, viewer)
    workspace = shown_workspace()
    sample = {name: str(value) for name, value in _SAMPLE.items()} | {
        "agent.name": current_user().name,
        "agent.first_name": variables.first_word(current_user().name),
        "account.name": workspace.name if workspace else "",
        "workspace.name": workspace.name if workspace else "",
    }
    codes = sorted({*LANGUAGES, *(code for code, _text in filling.texts if code != ANY)}, key=language_name)
    page = render_template(
        "canned/form.html",
        shown=shown,
        filling=filling,
        problem=problem,
        teams=[(id_, name) for id_, name, changes in teams if changes],
        keeps=viewer.keeps,
        languages=[(code, language_name(code)) for code in (ANY, *codes)],
        language_name=language_name,
        previews=[(code, _parts(text, sample)) for code, text in filling.texts if text.strip()],
        variables=variables.VARIABLES,
        longest_shortcut=replies.LONGEST_SHORTCUT,
        size_text=limits.megabytes,
        whose_text=whose_text,
    )
    return page, 200 if problem is None else problem.status


@bp.post(f"{SETTINGS}/new")
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
def add(workspace_id: int) -> ResponseReturnValue:
    """Create a canned reply."""
    return _save(workspace_id, None)


@bp.post(f"{SETTINGS}/<int:canned_id>")
@body_limit(MAX_BYTES + FORM_BYTES)
@workspace_view(Permission.ANSWER)
def change(workspace_id: int, canned_id: int) -> ResponseReturnValue:
    """Change a canned reply."""
    return _save(workspace_id, _seen(workspace_id, canned_id))


def _save(workspace_id: int, shown: CannedReplyView | None) -> ResponseReturnValue:
    """Save the form, or show it again: with another text, with a preview, or with the error."""
    filling = _filling(workspace_id, with_files=False)
    try:
        filling = _filling(workspace_id, with_files=True)
        if request.form.get("more") or request.form.get("preview"):
            replies.checked_texts(filling.wanted().texts)
            if request.form.get("more"):
                filling = replace(filling, texts=[*filling.texts, (_unused(filling), "")])
            return _form(workspace_id, shown, filling)
        if shown is None:
            row = write(replies.create, filling.wanted(), current_viewer())
        else:
            row = write(replies.change, shown.id, filling.wanted(), current_viewer())
    except LobbyError as error:
        return _form(workspace_id, shown, filling, error)
    flash_good(_("Canned reply /%(shortcut)s saved.", shortcut=row.shortcut))
    return redirect(url_for("canned.index", workspace_id=workspace_id), 303)


def _unused(filling: CannedReplyForm) -> str:
    """Return a language that no text of the form has yet: the reader's, or another."""
    there = {code for code, _text in filling.texts}
    mine = str(reader().locale or "en")
    return next((code for code in (ANY, mine, "en", *LANGUAGES) if code not in there), ANY)


def _filling(workspace_id: int, *, with_files: bool) -> CannedReplyForm:
    """Return the submitted form. Uploaded files are stored here: do not call it inside a transaction.

    :raises FileRefusedError: for a file that is not allowed.
    """
    form = request.form
    codes, texts = form.getlist("language"), form.getlist("text")
    blocks = list(zip(codes, texts, strict=False))[: replies.MOST_LANGUAGES + 1]
    waiting = []
    with db.read() as session:
        for one in form.getlist("upload")[: replies.MOST_FILES]:
            known = uploads.get_upload(session, workspace_id, one)
            waiting += [known] if known is not None else []
    if with_files:
        waiting += [
            uploads.keep_upload(
                one.stream, one.filename or "", workspace_id=workspace_id, user_id=current_user().id
            )
            for one in request.files.getlist("file")
            if one.filename
        ]
    kept = frozenset(id_in(one) for one in form.getlist("keep")) if "files" in form else None
    return CannedReplyForm(
        form.get("whose", "own"),
        form.get("shortcut", ""),
        form.get("title", ""),
        blocks or ((ANY, ""),),
        kept,
        waiting,
    )


@bp.post(f"{SETTINGS}/<int:canned_id>/delete")
@workspace_view(Permission.ANSWER)
def delete(workspace_id: int, canned_id: int) -> ResponseReturnValue:
    """Delete a canned reply with its files."""
    gone = write(replies.delete, canned_id, current_viewer())
    flash_good(_("Canned reply /%(shortcut)s deleted.", shortcut=gone.shortcut))
    return redirect(url_for("canned.index", workspace_id=workspace_id), 303)


@bp.get(f"{SETTINGS}/<int:canned_id>/files/<int:canned_file_id>")
@workspace_view(Permission.ANSWER)
def file(workspace_id: int, canned_id: int, canned_file_id: int) -> ResponseReturnValue:
    """Show a file of a canned reply."""
    found = next((file for file in _seen(workspace_id, canned_id).files if file.id == canned_file_id), None)
    if found is None:
        raise NotFoundError()
    try:
        stored = storage.open_stored(found.storage_key)
    except storage.NotStoredError:
        raise NotFoundError() from None
    sent = files.send(
        stored, content_type=found.content_type, name=found.name or "file", key=found.storage_key
    )
    return cast(ResponseReturnValue, sent)


def uses_text(uses: int) -> str:
    """Return how often something was used, in words."""
    return str(ngettext("used once", "used %(num)s times", uses)) if uses else str(_("not used yet"))
