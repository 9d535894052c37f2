"""Canned replies: what people send again and again, of their own, of a team, or of everybody.

Each has a shortcut, a text in one or more languages with variables (:mod:`host.inbox.variables`), and files.
Using one copies it: what is sent does not change with it.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.core.cleaning import clean, clean_written
from host.core.errors import ForbiddenError, InvalidError, NotFoundError
from host.inbox import names, variables
from host.inbox.drafts import MAX_LENGTH
from host.inbox.queries import Row
from host.media import file_removal, uploads
from host.models.canned import CannedFile, CannedReply
from host.models.inbox import ContactIdentity
from host.models.teams import Team, TeamMember
from host.models.users import User, Workspace
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageKind

ANY = "default"
"""The language of a text for whoever has none of the others."""
MOST = 500
"""Most canned replies of everybody, of one team, and of one member."""
MOST_FILES = 10
MOST_LANGUAGES = 20
LONGEST_SHORTCUT = 32
LONGEST_TITLE = 80

_SHORTCUT = re.compile(r"[\w.-]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_REPLIES = CannedReply.metadata.tables["canned_replies"]


class CannedReplyNotFoundError(NotFoundError):
    """There is no such canned reply, or it is somebody else's."""

    code = "canned_reply_not_found"
    title = _l("No such canned reply")
    default_sentence = _l("This canned reply does not exist. Somebody may have deleted it.")
    default_next_step = lazy_pgettext("canned reply", "Choose another one.")


class CannedReplyError(InvalidError):
    """A canned reply lacks something, or has what it cannot have; *field* says which."""

    code = "canned_reply"
    title = _l("The canned reply is not complete")
    default_sentence = _l("The canned reply has no text, so nothing was saved.")
    default_next_step = _l("Change it and save it again.")


class SharedReplyError(ForbiddenError):
    """What is everybody's or a team's is changed by those who keep it."""

    code = "shared_reply"
    default_sentence = _l(
        "What is everybody’s is changed by leads and owners, what is a team’s by its leads too. "
        "Nothing was changed."
    )


@dataclass(frozen=True, slots=True)
class Who:
    """Who looks at canned replies, or changes them.

    :param user_id: None: a program, which has none of its own.
    :param keeps: whether they may change what everybody shares.
    """

    user_id: int | None
    keeps: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A canned reply as somebody wants it.

    :param texts: by language; empty ones are left out.
    :param team_id: the team whose it is to be.
    :param own: whether it is for whoever saves it alone.
    :param keep: ids of the files it had that stay; None: all of them.
    :param uploads: ids of uploaded files to go out with it.
    """

    shortcut: str
    title: str
    texts: Mapping[str, str]
    team_id: int | None = None
    own: bool = False
    keep: frozenset[int] | None = None
    uploads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A canned reply as somebody sees it.

    :param team: the name of the team whose it is; empty: it is nobody's but *own*'s, or everybody's.
    :param changes: whether whoever looks may change it.
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


# ---- who sees which ------------------------------------------------------------------------------------


def my_teams(session: Session, workspace_id: int, who: Who) -> list[tuple[int, str, bool]]:
    """Return the teams whose replies somebody sees, by name: id, name, and whether they may change them."""
    mine = (
        sa.select(TeamMember.team_id, TeamMember.lead)
        .where(TeamMember.user_id == (who.user_id or 0))
        .subquery()
    )
    query = (
        sa.select(Team.id, Team.name, mine.c.lead)
        .outerjoin(mine, mine.c.team_id == Team.id)
        .where(Team.workspace_id == workspace_id)
        .order_by(Team.name, Team.id)
    )
    if not who.keeps:
        query = query.where(mine.c.team_id.is_not(None))
    return [(id_, name, who.keeps or bool(lead)) for id_, name, lead in session.execute(query)]


def listing(
    session: Session, workspace_id: int, who: Who, *, search: str = "", only: Collection[int] | None = None
) -> list[Shown]:
    """Return the canned replies somebody sees, those that are used most first: three statements.

    :param search: words, each of which shortcut, title or a text has.
    :param only: ids, of which those that they see are returned.
    """
    teams = {id_: (name, changes) for id_, name, changes in my_teams(session, workspace_id, who)}
    mine = CannedReply.owner_id == who.user_id if who.user_id is not None else sa.false()
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
    return [_shown(row, who, teams, files.get(row.id, ())) for row in rows]


def _shown(
    row: CannedReply, who: Who, teams: Mapping[int, tuple[str, bool]], files: tuple[CannedFile, ...]
) -> Shown:
    own = row.owner_id is not None
    team, leads = teams.get(row.team_id or 0, ("", False))
    return Shown(
        id=row.id,
        shortcut=row.shortcut,
        title=row.title,
        texts={str(code): str(text) for code, text in row.texts.items()},
        team_id=row.team_id,
        team=team,
        own=own,
        changes=own or leads or who.keeps,
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


def seen(session: Session, workspace_id: int, canned_id: int, who: Who) -> Shown:
    """Return a canned reply that somebody sees.

    :raises CannedReplyNotFoundError: if there is none.
    """
    found = listing(session, workspace_id, who, only=[canned_id])
    if not found:
        raise CannedReplyNotFoundError()
    return found[0]


def _locked(session: Session, workspace_id: int, canned_id: int, who: Who) -> CannedReply:
    """Return a canned reply that somebody may change, locked until the write ends.

    :raises SharedReplyError: if they see it and may not change it.
    """
    if not seen(session, workspace_id, canned_id, who).changes:
        raise SharedReplyError()
    query = sa.select(CannedReply).where(CannedReply.id == canned_id).with_for_update()
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise CannedReplyNotFoundError()
    return row


# ---- keeping them --------------------------------------------------------------------------------------


def create(session: Session, wanted: Wanted, *, workspace_id: int, who: Who, now: datetime) -> CannedReply:
    """Add a canned reply and return it.

    :raises CannedReplyError: if something is missing, too long or there already, or there are too many.
    :raises VariableError: if a text has a variable that is none.
    :raises SharedReplyError: if it is to be whose they may not change.
    :raises FileRefusedError: for a file that is not there.
    """
    texts = _checked(session, workspace_id, wanted, who)
    owner_id = who.user_id if wanted.own else None
    beside = _beside(workspace_id, wanted.team_id, owner_id)
    if (session.scalar(sa.select(sa.func.count()).where(*beside)) or 0) >= MOST:
        raise CannedReplyError(_l("There are as many canned replies as fit there, so nothing was saved."))
    row = CannedReply(
        workspace_id=workspace_id,
        team_id=wanted.team_id,
        owner_id=owner_id,
        shortcut=checked_shortcut(wanted.shortcut),
        shortcut_key="",
        title=checked_title(wanted.title),
        texts=texts,
        created_at=now,
        changed_at=now,
    )
    _check_free(session, row, beside)
    session.add(row)
    session.flush()
    _set_files(session, row, wanted)
    return row


def change(
    session: Session, wanted: Wanted, *, workspace_id: int, canned_id: int, who: Who, now: datetime
) -> CannedReply:
    """Make a canned reply what *wanted* says, and return it.

    :raises CannedReplyNotFoundError: if they see no such reply. Besides, what :func:`create` raises.
    """
    row = _locked(session, workspace_id, canned_id, who)
    texts = _checked(session, workspace_id, wanted, who)
    row.shortcut = checked_shortcut(wanted.shortcut)
    row.title = checked_title(wanted.title)
    row.texts = texts
    row.team_id, row.owner_id = wanted.team_id, who.user_id if wanted.own else None
    row.changed_at = now
    with session.no_autoflush:
        _check_free(session, row, _beside(workspace_id, row.team_id, row.owner_id))
    session.flush()
    _set_files(session, row, wanted)
    return row


def delete(session: Session, *, workspace_id: int, canned_id: int, who: Who) -> CannedReply:
    """Delete a canned reply with its files, and return it as it was. What was sent with it stays.

    :raises CannedReplyNotFoundError: if they see no such reply.
    :raises SharedReplyError: if they may not change it.
    """
    row = _locked(session, workspace_id, canned_id, who)
    remove_files(session, files_of(session, [row.id]).get(row.id, ()))
    session.execute(sa.delete(CannedReply).where(CannedReply.id == row.id))
    session.expunge(row)
    return row


def checked_shortcut(text: str) -> str:
    """Return a shortcut as it is kept: without its slash.

    :raises CannedReplyError: if it is empty, too long, or has other signs than ``-``, ``_`` and ``.``.
    """
    shortcut = unicodedata.normalize("NFC", clean(text)).strip().removeprefix("/")
    if not _SHORTCUT.fullmatch(shortcut) or len(shortcut) > LONGEST_SHORTCUT:
        raise CannedReplyError(
            _l("A shortcut has up to 32 letters, digits, dots and hyphens, so nothing was saved."),
            next_step=_l("Choose another shortcut, such as opening-hours."),
            field="shortcut",
        )
    return shortcut


def checked_title(text: str) -> str:
    """Return a title as it is kept: on one line.

    :raises CannedReplyError: if it is empty or too long.
    """
    refusal = CannedReplyError(
        _l("A title has one to 80 letters, so nothing was saved."),
        next_step=_l("Give it a title by which others find it."),
        field="title",
    )
    return names.checked(text, refusal, longest=LONGEST_TITLE)


def checked_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts as they are kept, without the empty ones.

    :raises CannedReplyError: if none is left, one is too long, or something is no language.
    :raises VariableError: if one has a variable that is none.
    """
    kept = {code: written for code, text in texts.items() if (written := clean_written(text))}
    for code, text in kept.items():
        if code != ANY and not _LANGUAGE.fullmatch(code):
            raise CannedReplyError(_l("One of the languages is none, so nothing was saved."), field="texts")
        if len(text) > MAX_LENGTH:
            raise CannedReplyError(
                _l("A text has more than 20,000 letters, so nothing was saved."), field="texts"
            )
        variables.parse(text)
    if len(kept) > MOST_LANGUAGES:
        raise CannedReplyError(_l("At most 20 languages fit, so nothing was saved."), field="texts")
    return kept


def _checked(session: Session, workspace_id: int, wanted: Wanted, who: Who) -> dict[str, str]:
    texts = checked_texts(wanted.texts)
    if wanted.own and who.user_id is not None:
        return texts
    teams = {id_: changes for id_, _name, changes in my_teams(session, workspace_id, who)}
    if wanted.team_id is not None and wanted.team_id not in teams:
        raise CannedReplyError(
            _l("There is no such team, so nothing was saved."),
            next_step=_l("Choose whose it is to be."),
            field="team",
        )
    if wanted.own or not (who.keeps if wanted.team_id is None else teams[wanted.team_id]):
        raise SharedReplyError()
    return texts


def _beside(workspace_id: int, team_id: int | None, owner_id: int | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the replies of everybody, of a team, or of a member."""
    whose = CannedReply.team_id.is_(None) if team_id is None else CannedReply.team_id == team_id
    owner = CannedReply.owner_id.is_(None) if owner_id is None else CannedReply.owner_id == owner_id
    return [CannedReply.workspace_id == workspace_id, whose, owner]


def _check_free(session: Session, row: CannedReply, beside: list[sa.ColumnElement[bool]]) -> None:
    """Refuse a shortcut that another reply of the same people has. One's own may be called as everybody's."""
    row.shortcut_key = names.name_key(row.shortcut)
    query = sa.select(CannedReply.id).where(*beside, CannedReply.shortcut_key == row.shortcut_key)
    if session.scalar(query.where(CannedReply.id != (row.id or 0)).limit(1)) is not None:
        raise CannedReplyError(
            _l("There is a reply with that shortcut already, so nothing was saved."),
            next_step=_l("Choose another shortcut."),
            field="shortcut",
        )


def _set_files(session: Session, row: CannedReply, wanted: Wanted) -> None:
    before = files_of(session, [row.id]).get(row.id, ())
    gone = [file for file in before if wanted.keep is not None and file.id not in wanted.keep]
    if len(before) - len(gone) + len(wanted.uploads) > MOST_FILES:
        raise CannedReplyError(
            _l("At most 10 files go out with a canned reply, so nothing was saved."),
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
        raise CannedReplyError(field="texts", next_step=_l("Write what it says, or add a file."))
    session.flush()


def remove_files(session: Session, files: Sequence[CannedFile]) -> None:
    """Delete files of canned replies; their bytes go soon after."""
    if files:
        session.execute(sa.delete(CannedFile).where(CannedFile.id.in_([file.id for file in files])))
        file_removal.remove_later(session, [file.storage_key for file in files])


# ---- using them ----------------------------------------------------------------------------------------


def preferred(texts: Mapping[str, str], languages: Sequence[str]) -> str:
    """Return the language of *texts* to offer first; empty where there is no text.

    :param languages: of the customer and the desk, the best first.
    """
    for wanted in languages:
        for code in (wanted.replace("_", "-"), wanted.replace("_", "-").split("-")[0]):
            if code in texts:
                return code
    return ANY if ANY in texts else min(texts, default="")


def languages_for(session: Session, row: Row) -> list[str]:
    """Return the languages to answer a customer in, the best first, as far as they are known."""
    query = (
        sa.select(ContactIdentity.profile, Workspace.language)
        .join(Workspace, Workspace.id == ContactIdentity.workspace_id)
        .where(ContactIdentity.id == row.identity_id)
    )
    profile, language = session.execute(query).one()
    known = [(profile or {}).get("language"), (profile or {}).get("locale"), language]
    return [one for one in known if isinstance(one, str) and one]


def values_for(session: Session, row: Row, user_id: int | None) -> dict[str, str]:
    """Return what a conversation and whoever answers it know of each variable: one statement.

    :param user_id: None: a program, which has no name.
    """
    name = row.contact_name or row.identity_name or ""
    return values_at(session, row.account, name, row.username or "", row.contact_email or "", user_id)


def values_at(
    session: Session, account: AccountRef, name: str, username: str, email: str, user_id: int | None
) -> dict[str, str]:
    """Return the same of a contact who is written to on *account*, by what is known of them."""
    query = sa.select(Workspace.name, User.name).outerjoin_from(Workspace, User, User.id == (user_id or 0))
    workspace, agent = session.execute(query.where(Workspace.id == account.workspace_id)).one()
    handle = username or email
    return {
        "contact.name": name,
        "contact.first_name": variables.first_word(name),
        "contact.handle": f"@{handle}" if handle and "@" not in handle else handle,
        "contact.email": email or (handle if "@" in handle else ""),
        "agent.name": agent or "",
        "agent.first_name": variables.first_word(agent or ""),
        "account.name": account.name or account.handle or "",
        "workspace.name": workspace,
    }


def take_files(
    session: Session, shown: Shown, *, workspace_id: int, user_id: int | None, now: datetime
) -> list[uploads.Upload]:
    """Add the files of a canned reply to those that wait to be sent, and return them.

    :param user_id: who is going to send them; None: a program.
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
    """Count that a reply was sent with each of the canned replies *ids*; those that are gone are left out."""
    if ids:
        # In one order, so that two who send at once do not wait for each other in a circle.
        query = sa.select(CannedReply.id).where(
            CannedReply.workspace_id == workspace_id, CannedReply.id.in_(set(ids))
        )
        known = session.scalars(query.order_by(CannedReply.id).with_for_update()).all()
        session.execute(
            sa.update(_REPLIES).where(_REPLIES.c.id.in_(known)).values(uses=_REPLIES.c.uses + 1, used_at=now)
        )
