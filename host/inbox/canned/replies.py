"""Canned replies: saved texts of one person or a team, or shared with the workspace.

Each has a shortcut, a text in one or more languages with variables (:mod:`host.inbox.variables`), and files.
Using one copies it, so later changes do not affect sent messages.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.core.cleaning import clean, clean_written
from host.core.errors import ForbiddenError, InvalidError, NotFoundError
from host.inbox import names, variables
from host.inbox.canned.models import CannedFile, CannedReply
from host.inbox.drafts import MAX_LENGTH
from host.inbox.queries import Row
from host.inbox.teams.models import Team, TeamMember
from host.media import file_removal, uploads
from host.models.inbox import ContactIdentity
from host.models.users import Workspace
from host.sdk.messages import MessageKind
from host.users.actor import UnitOfWork

ANY = "default"
"""The language of the default text."""
MOST = 500
"""Maximum number of shared canned replies, and of one team's and one member's."""
MOST_FILES = 10
MOST_LANGUAGES = 20
LONGEST_SHORTCUT = 32
LONGEST_TITLE = 80

_SHORTCUT = re.compile(r"[\w.-]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_REPLIES = CannedReply.metadata.tables["canned_replies"]


class CannedReplyNotFoundError(NotFoundError):
    """The canned reply does not exist, or belongs to another person."""

    code = "canned_reply_not_found"
    title = _l("Canned reply not found")
    default_sentence = _l("This canned reply does not exist. It may have been deleted.")
    default_next_step = lazy_pgettext("canned reply", "Choose another one.")
    program_step = ""
    place = "canned_id"


class CannedReplyError(InvalidError):
    """A canned reply is incomplete or invalid; *field* says where."""

    code = "canned_reply"
    title = _l("The canned reply is incomplete")
    default_sentence = _l("The canned reply has no text. Nothing was saved.")
    default_next_step = _l("Change it and save it again.")
    program_step = _l("Correct it and send it again.")


class SharedReplyError(ForbiddenError):
    """Only leads and owners may change shared replies, and only its leads those of a team."""

    code = "shared_reply"
    default_sentence = _l(
        "Only leads and owners can change replies shared with everyone. Team leads can also "
        "change those of their team. Nothing was changed."
    )


class Viewer(msgspec.Struct, frozen=True):
    """The person or program that reads or changes canned replies and macros.

    :param user_id: None for a program, which has no personal ones.
    :param keeps: whether they may change shared ones.
    """

    user_id: int | None
    keeps: bool


class CannedReplyInput(msgspec.Struct, frozen=True):
    """A canned reply as entered.

    :param texts: by language; empty ones are left out.
    :param team_id: the team that should own it.
    :param own: whether only the person saving it owns it.
    :param keep: ids of existing files to keep; None for all.
    :param uploads: ids of uploaded files to add.
    """

    shortcut: str
    title: str
    texts: Mapping[str, str]
    team_id: int | None = None
    own: bool = False
    keep: frozenset[int] | None = None
    uploads: tuple[str, ...] = ()


class CannedReplyView(msgspec.Struct, frozen=True):
    """A canned reply as a person sees it.

    :param team: name of the team that owns it; empty if it is shared, or the person's *own*.
    :param changes: whether the person may change it.
    """

    id: int
    shortcut: str
    title: str
    texts: Mapping[str, str]
    team_id: int | None
    team: str
    own: bool
    changes: bool
    uses: int
    used_at: datetime | None
    changed_at: datetime
    files: tuple[CannedFile, ...] = ()


# ---- reading them --------------------------------------------------------------------------------------


def my_teams(session: Session, workspace_id: int, viewer: Viewer) -> list[tuple[int, str, bool]]:
    """Return the teams whose replies a person sees, by name: id, name, and whether they may change them."""
    mine = (
        sa.select(TeamMember.team_id, TeamMember.lead)
        .where(TeamMember.user_id == (viewer.user_id or 0))
        .subquery()
    )
    query = (
        sa.select(Team.id, Team.name, mine.c.lead)
        .outerjoin(mine, mine.c.team_id == Team.id)
        .where(Team.workspace_id == workspace_id)
        .order_by(Team.name, Team.id)
    )
    if not viewer.keeps:
        query = query.where(mine.c.team_id.is_not(None))
    return [(id_, name, viewer.keeps or bool(lead)) for id_, name, lead in session.execute(query)]


def listing(
    session: Session,
    workspace_id: int,
    viewer: Viewer,
    *,
    search: str = "",
    only: Collection[int] | None = None,
) -> list[CannedReplyView]:
    """Return the canned replies a person sees, most used first: three statements.

    :param search: words, each of which must occur in shortcut, title or a text.
    :param only: ids to restrict the result to.
    """
    teams = {id_: (name, changes) for id_, name, changes in my_teams(session, workspace_id, viewer)}
    mine = CannedReply.owner_id == viewer.user_id if viewer.user_id is not None else sa.false()
    everybodys = sa.and_(CannedReply.owner_id.is_(None), CannedReply.team_id.is_(None))
    query = sa.select(CannedReply).where(
        CannedReply.workspace_id == workspace_id,
        sa.or_(everybodys, mine, CannedReply.team_id.in_(list(teams))),
    )
    if only is not None:
        query = query.where(CannedReply.id.in_(only))
    rows = [row for row in session.scalars(query) if _has(row, search)]
    rows.sort(key=lambda row: (-row.uses, row.title.casefold(), row.id))
    files = files_of(session, [row.id for row in rows])
    return [_shown(row, viewer, teams, files.get(row.id, ())) for row in rows]


def _shown(
    row: CannedReply, viewer: Viewer, teams: Mapping[int, tuple[str, bool]], files: tuple[CannedFile, ...]
) -> CannedReplyView:
    own = row.owner_id is not None
    team, leads = teams.get(row.team_id or 0, ("", False))
    return CannedReplyView(
        id=row.id,
        shortcut=row.shortcut,
        title=row.title,
        texts={str(code): str(text) for code, text in row.texts.items()},
        team_id=row.team_id,
        team=team,
        own=own,
        changes=own or leads or viewer.keeps,
        uses=row.uses,
        used_at=row.used_at,
        changed_at=row.changed_at,
        files=files,
    )


def _has(row: CannedReply, search: str) -> bool:
    said = " ".join([row.shortcut, row.title, *map(str, row.texts.values())]).casefold()
    return all(word in said for word in search.casefold().removeprefix("/").split())


def files_of(session: Session, ids: Collection[int]) -> dict[int, tuple[CannedFile, ...]]:
    """Return the files of canned replies, by the id of their reply."""
    found: dict[int, tuple[CannedFile, ...]] = {}
    query = sa.select(CannedFile).where(CannedFile.canned_id.in_(ids)).order_by(CannedFile.id)
    for file in session.scalars(query):
        found[file.canned_id] = (*found.get(file.canned_id, ()), file)
    return found


def seen(session: Session, workspace_id: int, canned_id: int, viewer: Viewer) -> CannedReplyView:
    """Return a canned reply that a person sees.

    :raises CannedReplyNotFoundError: if there is none.
    """
    found = listing(session, workspace_id, viewer, only=[canned_id])
    if not found:
        raise CannedReplyNotFoundError()
    return found[0]


def _locked(session: Session, workspace_id: int, canned_id: int, viewer: Viewer) -> CannedReply:
    """Return a canned reply that a person may change, locked until the write ends.

    :raises SharedReplyError: if they see it but may not change it.
    """
    if not seen(session, workspace_id, canned_id, viewer).changes:
        raise SharedReplyError()
    query = sa.select(CannedReply).where(CannedReply.id == canned_id).with_for_update()
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise CannedReplyNotFoundError()
    return row


# ---- changing them -------------------------------------------------------------------------------------


def create(work: UnitOfWork, wanted: CannedReplyInput, viewer: Viewer) -> CannedReply:
    """Create a canned reply and return it.

    :raises CannedReplyError: if something is missing, too long or a duplicate, or there are too many.
    :raises VariableError: if a text has an unknown variable.
    :raises SharedReplyError: if they may not change replies of that owner.
    :raises FileRefusedError: if a file doesn't exist.
    """
    session, workspace_id = work.session, work.workspace_id
    texts = _checked(session, workspace_id, wanted, viewer)
    owner_id = viewer.user_id if wanted.own else None
    beside = _beside(workspace_id, wanted.team_id, owner_id)
    if (session.scalar(sa.select(sa.func.count()).where(*beside)) or 0) >= MOST:
        raise CannedReplyError(
            _l("You have reached the maximum number of canned replies there. Nothing was saved.")
        )
    row = CannedReply(
        workspace_id=workspace_id,
        team_id=wanted.team_id,
        owner_id=owner_id,
        shortcut=checked_shortcut(wanted.shortcut),
        shortcut_key="",
        title=checked_title(wanted.title),
        texts=texts,
        created_at=work.now,
        changed_at=work.now,
    )
    _check_free(session, row, beside)
    session.add(row)
    session.flush()
    _set_files(session, row, wanted)
    if owner_id is None:
        work.audit("canned_reply.added", f"/{row.shortcut}")
    return row


def change(work: UnitOfWork, canned_id: int, wanted: CannedReplyInput, viewer: Viewer) -> CannedReply:
    """Replace a canned reply and return it.

    :raises CannedReplyNotFoundError: if they see no such reply. Also the errors of :func:`create`.
    """
    session, workspace_id = work.session, work.workspace_id
    row = _locked(session, workspace_id, canned_id, viewer)
    was_own = row.owner_id is not None
    texts = _checked(session, workspace_id, wanted, viewer)
    row.shortcut = checked_shortcut(wanted.shortcut)
    row.title = checked_title(wanted.title)
    row.texts = texts
    row.team_id, row.owner_id = wanted.team_id, viewer.user_id if wanted.own else None
    row.changed_at = work.now
    with session.no_autoflush:
        _check_free(session, row, _beside(workspace_id, row.team_id, row.owner_id))
    session.flush()
    _set_files(session, row, wanted)
    if row.owner_id is None or not was_own:
        work.audit("canned_reply.changed", f"/{row.shortcut}")
    return row


def delete(work: UnitOfWork, canned_id: int, viewer: Viewer) -> CannedReply:
    """Delete a canned reply with its files, and return its earlier values. Messages sent with it stay.

    :raises CannedReplyNotFoundError: if they see no such reply.
    :raises SharedReplyError: if they may not change it.
    """
    session = work.session
    row = _locked(session, work.workspace_id, canned_id, viewer)
    remove_files(session, files_of(session, [row.id]).get(row.id, ()))
    session.execute(sa.delete(CannedReply).where(CannedReply.id == row.id))
    session.expunge(row)
    if row.owner_id is None:
        work.audit("canned_reply.deleted", f"/{row.shortcut}")
    return row


def checked_shortcut(text: str) -> str:
    """Return a valid shortcut without its slash.

    :raises CannedReplyError: if it is empty, too long, or has characters other than letters, digits, ``-``,
        ``_`` and ``.``.
    """
    shortcut = unicodedata.normalize("NFC", clean(text)).strip().removeprefix("/")
    if not _SHORTCUT.fullmatch(shortcut) or len(shortcut) > LONGEST_SHORTCUT:
        raise CannedReplyError(
            _l("A shortcut can have up to 32 letters, digits, dots and hyphens. Nothing was saved."),
            next_step=_l("Choose another shortcut, such as opening-hours."),
            field="shortcut",
        )
    return shortcut


def checked_title(text: str) -> str:
    """Return a valid title on one line.

    :raises CannedReplyError: if it is empty or too long.
    """
    refusal = CannedReplyError(
        _l("A title needs between 1 and 80 characters. Nothing was saved."),
        next_step=_l("Give it a title that others can search for."),
        field="title",
    )
    return names.checked(text, refusal, longest=LONGEST_TITLE)


def checked_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Return valid texts, without the empty ones.

    :raises CannedReplyError: if none is left, one is too long, or a language is invalid.
    :raises VariableError: if one has an unknown variable.
    """
    kept = {code: written for code, text in texts.items() if (written := clean_written(text))}
    for code, text in kept.items():
        if code != ANY and not _LANGUAGE.fullmatch(code):
            raise CannedReplyError(_l("One of the languages is unknown. Nothing was saved."), field="texts")
        if len(text) > MAX_LENGTH:
            raise CannedReplyError(
                _l("A text has more than 20,000 characters. Nothing was saved."), field="texts"
            )
        variables.parse(text)
    if len(kept) > MOST_LANGUAGES:
        raise CannedReplyError(
            _l("A canned reply can have up to 20 languages. Nothing was saved."), field="texts"
        )
    return kept


def _checked(session: Session, workspace_id: int, wanted: CannedReplyInput, viewer: Viewer) -> dict[str, str]:
    texts = checked_texts(wanted.texts)
    if wanted.own and viewer.user_id is not None:
        return texts
    teams = {id_: changes for id_, _name, changes in my_teams(session, workspace_id, viewer)}
    if wanted.team_id is not None and wanted.team_id not in teams:
        raise CannedReplyError(
            _l("That team does not exist. Nothing was saved."),
            next_step=_l("Choose who can use it."),
            field="team",
        )
    if wanted.own or not (viewer.keeps if wanted.team_id is None else teams[wanted.team_id]):
        raise SharedReplyError()
    return texts


def _beside(workspace_id: int, team_id: int | None, owner_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for shared replies, those of a team, or those of a member."""
    whose = CannedReply.team_id.is_(None) if team_id is None else CannedReply.team_id == team_id
    owner = CannedReply.owner_id.is_(None) if owner_id is None else CannedReply.owner_id == owner_id
    return [CannedReply.workspace_id == workspace_id, whose, owner]


def _check_free(session: Session, row: CannedReply, beside: list[sa.ColumnElement[bool]]) -> None:
    """Refuse a shortcut that another reply of the same owner has. A member's own may equal a shared one."""
    row.shortcut_key = names.name_key(row.shortcut)
    query = sa.select(CannedReply.id).where(*beside, CannedReply.shortcut_key == row.shortcut_key)
    if session.scalar(query.where(CannedReply.id != (row.id or 0)).limit(1)) is not None:
        raise CannedReplyError(
            _l("A canned reply with that shortcut already exists. Nothing was saved."),
            next_step=_l("Choose another shortcut."),
            field="shortcut",
        )


def _set_files(session: Session, row: CannedReply, wanted: CannedReplyInput) -> None:
    before = files_of(session, [row.id]).get(row.id, ())
    gone = [file for file in before if wanted.keep is not None and file.id not in wanted.keep]
    if len(before) - len(gone) + len(wanted.uploads) > MOST_FILES:
        raise CannedReplyError(
            _l("A canned reply can have up to 10 files. Nothing was saved."),
            next_step=_l("Remove some of them."),
            field="uploads",
        )
    remove_files(session, gone)
    for upload in uploads.attach(session, row.workspace_id, wanted.uploads):
        session.add(
            CannedFile(
                canned_id=row.id,
                kind=str(upload.kind),
                name=upload.name,
                content_type=upload.content_type,
                size=upload.size,
                width=upload.width,
                height=upload.height,
                storage_key=upload.storage_key,
            )
        )
    if not row.texts and len(before) == len(gone) and not wanted.uploads:
        raise CannedReplyError(field="texts", next_step=_l("Write a text or add a file."))
    session.flush()


def remove_files(session: Session, files: Sequence[CannedFile]) -> None:
    """Delete files of canned replies; their bytes are deleted soon after."""
    if files:
        session.execute(sa.delete(CannedFile).where(CannedFile.id.in_([file.id for file in files])))
        file_removal.remove_later(session, [file.storage_key for file in files])


# ---- using them ----------------------------------------------------------------------------------------


def preferred(texts: Mapping[str, str], languages: Sequence[str]) -> str:
    """Return the language of *texts* to offer first; empty if there is no text.

    :param languages: those of the customer and the desk, best first.
    """
    for wanted in languages:
        for code in (wanted.replace("_", "-"), wanted.replace("_", "-").split("-")[0]):
            if code in texts:
                return code
    return ANY if ANY in texts else min(texts, default="")


def languages_for(session: Session, row: Row) -> list[str]:
    """Return the known languages for a customer, best first."""
    query = (
        sa.select(ContactIdentity.profile, Workspace.language)
        .join(Workspace, Workspace.id == ContactIdentity.workspace_id)
        .where(ContactIdentity.id == row.identity_id)
    )
    profile, language = session.execute(query).one()
    known = [(profile or {}).get("language"), (profile or {}).get("locale"), language]
    return [one for one in known if isinstance(one, str) and one]


def take_files(
    session: Session, shown: CannedReplyView, *, workspace_id: int, user_id: int | None, now: datetime
) -> list[uploads.Upload]:
    """Create uploads from the files of a canned reply, and return them.

    :param user_id: the member who will send them; None for a program.
    """
    made = [
        uploads.Upload(
            id=uuid.uuid4().hex,
            workspace_id=workspace_id,
            kind=MessageKind(file.kind),
            name=file.name,
            content_type=file.content_type,
            size=file.size,
            width=file.width,
            height=file.height,
            storage_key=file.storage_key,
            created_at=now,
        )
        for file in shown.files
    ]
    for upload in made:
        uploads.put_back(session, upload, user_id)
    return made


def note_used(session: Session, workspace_id: int, ids: Collection[int], now: datetime) -> None:
    """Increase the usage count of the canned replies *ids*; deleted ones are ignored."""
    if ids:
        # In a fixed order, so that two concurrent senders do not deadlock.
        query = sa.select(CannedReply.id).where(
            CannedReply.workspace_id == workspace_id, CannedReply.id.in_(set(ids))
        )
        known = session.scalars(query.order_by(CannedReply.id).with_for_update()).all()
        session.execute(
            sa.update(_REPLIES).where(_REPLIES.c.id.in_(known)).values(uses=_REPLIES.c.uses + 1, used_at=now)
        )
