"""Use cases of sequences: create, change, publish, turn off, order and delete them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Many
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import actions
from host.channels import abilities
from host.channels.abilities import EVERYTHING
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.core.ports import AdapterDirectory, ListingDirectory
from host.core.secrets import Secret
from host.inbox import names
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.inbox.contacts import attributes
from host.models.channels import AccountState, ChannelAccount, ref
from host.sdk.channel import ReplyContext, ReplyState
from host.sdk.text import TextLimit, TextUnit
from host.sequences import body as bodies
from host.sequences import signing_secrets, toml_form
from host.sequences.body import Body, Call, SequenceError, Targets
from host.sequences.claims import OtherSequence, Surroundings
from host.sequences.models import (
    ENDED_BY_TEAM,
    Sequence,
    SequenceRun,
    SequenceState,
    SequenceVersion,
    WaitsFor,
)
from host.sequences.proofs import NEVER, Limits, Proof, prove
from host.users.actor import UnitOfWork
from host.working_hours import hours

MOST = 100
"""Most sequences of a workspace."""
_LOOK_AHEAD = timedelta(days=60)
"""How far ahead working hours are looked at, with all their exceptions."""


class SequenceNotFoundError(NotFoundError):
    """The workspace has no such sequence."""

    code = "sequence_not_found"
    title = _l("Sequence not found")
    default_sentence = _l("This workspace has no such sequence. Maybe it was deleted.")
    default_next_step = _l("Choose one from the list.")


class SequenceSavedMeanwhileError(ConflictError):
    """Somebody else saved the sequence since it was opened."""

    code = "sequence_saved_meanwhile"
    title = _l("Changed by someone else")
    default_sentence = _l("Someone else saved this sequence in the meantime. Your changes are not saved.")
    default_next_step = _l("Open it again, and make your changes there.")


class SequenceInUseError(ConflictError):
    """A sequence is not deleted while customers are in it."""

    code = "sequence_in_use"
    title = _l("Not deleted")
    default_sentence = _l("Customers are still in this sequence, so it was not deleted.")
    default_next_step = _l("Turn it off and end its runs first.")


class NotPublishableError(InvalidError):
    """A sequence cannot be published, because something about it could not be proved."""

    code = "sequence_not_proved"
    title = _l("Not published")
    default_sentence = _l("Something in this sequence could go wrong, so it was not published.")
    default_next_step = _l("Change the marked steps.")
    program_step = _l("Change the steps that `problems` of the sequence name.")


def there(session: Session, workspace_id: int, directory: ListingDirectory | None = None) -> Targets:
    """Return what sequences of a workspace may refer to.

    :param directory: None: without what addons add.
    """
    accounts = sa.select(ChannelAccount.id, ChannelAccount.name, ChannelAccount.channel).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
    )
    details = {one.id: one for one in attributes.all_of(session, workspace_id)}
    rows = session.execute(accounts).all()
    nobody = Viewer(None, keeps=False)
    targets = actions.targets(session, workspace_id, nobody)
    shared = macros.listing(session, workspace_id, nobody)
    return Targets(
        targets,
        {row.id: row.name for row in rows},
        {id_: one.name for id_, one in details.items()},
        details,
        {} if directory is None else directory.conditions,
        {},  # sequences don't run below posts
        {} if directory is None else {key: directory.label(key) for key in directory.keys},
        EVERYTHING
        if directory is None
        else abilities.of_workspace(directory.adapters, {row.channel for row in rows}),
        {} if directory is None else directory.actions,
        {one.id: one.name for one in shared},
        frozenset(one.id for one in shared if targets.any_missing(one.steps)),
    )


def get(session: Session, workspace_id: int, sequence_id: int, *, lock: bool = False) -> Sequence:
    """Return a sequence of the workspace.

    :param lock: whether to lock it until the write ends.
    :raises SequenceNotFoundError: if there is none.
    """
    query = sa.select(Sequence).where(Sequence.id == sequence_id, Sequence.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise SequenceNotFoundError()
    return found


def listing(session: Session, workspace_id: int) -> Many[Sequence]:
    """Return the sequences of a workspace, in order."""
    query = sa.select(Sequence).where(Sequence.workspace_id == workspace_id)
    return session.scalars(query.order_by(Sequence.position, Sequence.id)).all()


def version(session: Session, sequence_id: int, number: int) -> SequenceVersion:
    """Return a version of a sequence.

    :raises SequenceNotFoundError: if there is none.
    """
    found = session.get(SequenceVersion, (sequence_id, number))
    if found is None:
        raise SequenceNotFoundError()
    return found


def versions(session: Session, sequence_id: int) -> Many[SequenceVersion]:
    """Return the versions of a sequence, newest first."""
    query = sa.select(SequenceVersion).where(SequenceVersion.sequence_id == sequence_id)
    return session.scalars(query.order_by(SequenceVersion.number.desc())).all()


def in_it(session: Session, sequences: Iterable[int]) -> dict[int, int]:
    """Return how many contacts are in each of *sequences* now."""
    query = (
        sa.select(SequenceRun.sequence_id, sa.func.count().label("people"))
        .where(SequenceRun.sequence_id.in_(list(sequences)), SequenceRun.active_contact_id.is_not(None))
        .group_by(SequenceRun.sequence_id)
    )
    return {row.sequence_id: row.people for row in session.execute(query)}


# ---- what is proved ------------------------------------------------------------------------------------


def limits(
    session: Session, workspace_id: int, body: Body, directory: AdapterDirectory, now: datetime
) -> Limits:
    """Return the tightest limits of the channels that *body* runs on, and of the teams' working hours."""
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
    )
    accounts = [one for one in session.scalars(query) if not body.accounts or one.id in body.accounts]
    windows: list[timedelta] = []
    offers, texts, listed, cards, carded = [], [], [], [], []
    for account in accounts:
        adapter = directory.adapter(account.channel)
        if adapter is None or adapter.capabilities.public:
            continue
        policy = adapter.reply_policy(ReplyContext(ref(account), now, now, False))
        if policy.state is ReplyState.OPEN and policy.until is not None:
            windows.append(policy.until - now)
        offers.append(adapter.capabilities.quick_replies)
        if (most := adapter.capabilities.text_limit) is not None:
            texts.append(most)
            if adapter.capabilities.quick_replies is None:
                listed.append(most)
            if adapter.capabilities.template is None:
                carded.append(most)
        if adapter.capabilities.template is not None:
            cards.append(adapter.capabilities.template)
    shown = [one for one in offers if one is not None]
    return Limits(
        min(windows, default=None),
        min(shown, key=lambda one: (one.most, one.title_length), default=None),
        _longest_break(session, workspace_id, now),
        tightest(texts),
        tightest(listed),
        min(cards, key=lambda one: (one.elements, one.title_length), default=None),
        tightest(carded),
    )


def text_limit(
    session: Session, workspace_id: int, body: Body, directory: AdapterDirectory
) -> TextLimit | None:
    """Return the limit of a message on the channels that *body* runs on; None: no limit."""
    query = sa.select(ChannelAccount.id, ChannelAccount.channel).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
    )
    found = []
    for id_, channel in session.execute(query):
        adapter = directory.adapter(channel)
        if adapter is not None and (not body.accounts or id_ in body.accounts):
            found.append(adapter.capabilities.text_limit)
    return tightest([one for one in found if one is not None])


def tightest(limits: Iterable[TextLimit]) -> TextLimit | None:
    """Return a limit within which a text fits all of *limits*: the least, in the unit that counts most."""
    found = list(limits)
    if not found:
        return None
    unit = next(unit for unit in TextUnit if any(one.unit is unit for one in found))
    return TextLimit(min(found), unit)


def _longest_break(session: Session, workspace_id: int, now: datetime) -> timedelta:
    """Return the longest time outside working hours that any team has ahead."""
    loaded = hours.load(session, [workspace_id])
    teams = [None, *(id_ for id_, _name in hours.teams_of(session, workspace_id))]
    return max(_break_of(loaded.of(workspace_id, team), now) for team in teams)


def _break_of(work: hours.Hours, now: datetime) -> timedelta:
    until, longest, end = now + _LOOK_AHEAD, timedelta(), now
    for opens, closes in work.openings(now, until):
        longest = max(longest, opens - end)
        end = closes
    return NEVER if end == now and not work.is_open(now) else max(longest, until - end)


def proof(
    session: Session,
    workspace_id: int,
    body: Body,
    directory: ListingDirectory,
    now: datetime,
    sequence_id: int,
    known: Targets | None = None,
) -> Proof:
    """Return what can be proved about a sequence on the channels it runs on, beside the other live ones.

    The pages, the API and :func:`publish` all ask this.

    :param known: as :func:`there` returns it; None: it is loaded.
    """
    known = known or there(session, workspace_id, directory)
    around = Surroundings(known, _others(session, workspace_id, sequence_id))
    return prove(body, limits(session, workspace_id, body, directory, now), around)


def _others(session: Session, workspace_id: int, sequence_id: int) -> list[OtherSequence]:
    """Return the other live sequences of a workspace, in order."""
    query = (
        sa.select(Sequence.name, SequenceVersion.body)
        .join(
            SequenceVersion,
            sa.and_(
                SequenceVersion.sequence_id == Sequence.id, SequenceVersion.number == Sequence.live_version
            ),
        )
        .where(
            Sequence.workspace_id == workspace_id,
            Sequence.state == SequenceState.LIVE,
            Sequence.id != sequence_id,
        )
        .order_by(Sequence.position, Sequence.id)
    )
    found = [(name, bodies.read(stored)) for name, stored in session.execute(query)]
    return [OtherSequence(name, one.starts, one.accounts) for name, one in found if one is not None]


# ---- changing ------------------------------------------------------------------------------------------


def create(work: UnitOfWork, *, name: str, body: Body, directory: ListingDirectory) -> Sequence:
    """Add a draft after the other sequences and return it.

    :raises SequenceError: if it has no name, is invalid, or there are already :data:`MOST`.
    """
    count, last = work.session.execute(
        sa.select(sa.func.count(), sa.func.max(Sequence.position)).where(
            Sequence.workspace_id == work.workspace_id
        )
    ).one()
    if count >= MOST:
        raise SequenceError(_l("You have reached the limit of 100 sequences."), field="name", limit=MOST)
    kept = _checked(work, body, directory)
    sequence = Sequence(
        workspace_id=work.workspace_id,
        name=checked_name(name),
        state=SequenceState.DRAFT,
        position=(last or 0) + 1,
        version=1,
        created_at=work.now,
    )
    work.session.add(sequence)
    work.session.flush()
    _add_version(work, sequence, kept)
    work.session.flush()
    work.audit("sequence.added", sequence.name)
    return sequence


def _add_version(work: UnitOfWork, sequence: Sequence, body: dict[str, Any]) -> None:
    by = {"author": work.actor.author, "at": work.now}
    work.session.add(SequenceVersion(sequence_id=sequence.id, number=sequence.version, body=body, **by))


def change(
    work: UnitOfWork,
    sequence_id: int,
    *,
    name: str,
    body: Body,
    directory: ListingDirectory,
    seen_at: datetime | None = None,
) -> Sequence:
    """Change the name and the draft of a sequence and return it. A published version is never changed.

    :param seen_at: when the version was saved that the page showed; None: overwrite newer changes.
    :raises SequenceNotFoundError: if there is none.
    :raises SequenceSavedMeanwhileError: if it was saved since *seen_at*.

    Also raises the errors of :func:`create`.
    """
    sequence = get(work.session, work.workspace_id, sequence_id, lock=True)
    newest = version(work.session, sequence.id, sequence.version)
    if seen_at is not None and newest.at != seen_at:
        raise SequenceSavedMeanwhileError()
    kept = _checked(work, body, directory)
    stood = sequence.name
    sequence.name = checked_name(name)
    if kept == newest.body and sequence.name == stood:
        return sequence
    if kept != newest.body:
        if newest.published_at is None:
            newest.body, newest.author, newest.at = kept, work.actor.author, work.now
        else:
            sequence.version += 1
            _add_version(work, sequence, kept)
    work.session.flush()
    work.audit("sequence.changed", sequence.name, details={"version": sequence.version})
    return sequence


def publish(work: UnitOfWork, sequence_id: int, directory: ListingDirectory) -> Sequence:
    """Publish the newest version of a sequence. Runs that are under way end on theirs.

    :raises SequenceNotFoundError: if there is none.
    :raises NotPublishableError: if something could not be proved, or a newer Lobby wrote it.
    """
    sequence = get(work.session, work.workspace_id, sequence_id, lock=True)
    newest = version(work.session, sequence.id, sequence.version)
    body = bodies.read(newest.body)
    if body is None:
        raise NotPublishableError(
            _l("This sequence was created by a newer version of Lobby and can't run here."),
            next_step=_l("Update Lobby, or restore an earlier version."),
        )
    problems = proof(work.session, work.workspace_id, body, directory, work.now, sequence.id).problems
    if problems:
        first = problems[0]
        ids = [step.id for step in body.steps]
        field = first.field or f"steps.{ids.index(first.step)}"
        raise NotPublishableError(first.sentence, field=field)
    if any(isinstance(step, Call) for step in body.steps):
        signing_secrets.ensure(work.session, sequence)
    sequence.live_version, sequence.state = sequence.version, SequenceState.LIVE
    newest.published_at = newest.published_at or work.now
    work.session.flush()
    work.audit("sequence.published", sequence.name, details={"version": sequence.version})
    return sequence


def replace_secret(work: UnitOfWork, sequence_id: int) -> Secret:
    """Give a sequence a new secret, which signs its calls from now on, and return it.

    :raises SequenceNotFoundError: if there is none.
    """
    return signing_secrets.replace(work, get(work.session, work.workspace_id, sequence_id, lock=True))


def turn_off(work: UnitOfWork, sequence_id: int, *, end_runs: bool) -> Sequence:
    """Let nothing start in a sequence any more.

    :param end_runs: whether to end those under way, too.
    :raises SequenceNotFoundError: if there is none.
    """
    sequence = get(work.session, work.workspace_id, sequence_id, lock=True)
    if sequence.state == SequenceState.LIVE:
        sequence.state = SequenceState.OFF
        work.session.flush()
        work.audit("sequence.off", sequence.name)
    if end_runs:
        _end_all(work, sequence.id)
    return sequence


def _end_all(work: UnitOfWork, sequence_id: int) -> None:
    """Let all runs of a sequence end as soon as a worker comes by.

    A worker locks each conversation before its run, so they are not ended here.
    """
    work.session.execute(
        sa.update(SequenceRun)
        .where(SequenceRun.sequence_id == sequence_id, SequenceRun.active_contact_id.is_not(None))
        .values(reason=ENDED_BY_TEAM, waits_for=WaitsFor.NOTHING, due_at=work.now)
    )


def move(work: UnitOfWork, sequence_id: int, step: int) -> None:
    """Move a sequence up (*step* -1) or down (1).

    :raises SequenceNotFoundError: if there is none.
    """
    query = sa.select(Sequence).where(Sequence.workspace_id == work.workspace_id).order_by(Sequence.id)
    order = sorted(work.session.scalars(query.with_for_update()), key=lambda one: (one.position, one.id))
    here = next((at for at, one in enumerate(order) if one.id == sequence_id), None)
    if here is None:
        raise SequenceNotFoundError()
    sequence = order.pop(here)
    before = sequence.position
    order.insert(min(max(here + step, 0), len(order)), sequence)
    for position, one in enumerate(order, 1):
        one.position = position
    work.session.flush()
    if sequence.position != before:
        work.audit("sequence.moved", sequence.name, details={"place": sequence.position})


def delete(work: UnitOfWork, sequence_id: int) -> str:
    """Delete a sequence with its versions and runs and return its name. Nobody must be in it.

    :raises SequenceNotFoundError: if there is none.
    :raises SequenceInUseError: if somebody is in it.
    """
    sequence = get(work.session, work.workspace_id, sequence_id, lock=True)
    if in_it(work.session, [sequence.id]):
        raise SequenceInUseError()
    work.session.execute(sa.delete(Sequence).where(Sequence.id == sequence.id))
    work.session.expunge(sequence)
    work.audit("sequence.deleted", sequence.name)
    return sequence.name


def _checked(work: UnitOfWork, body: Body, directory: ListingDirectory) -> dict[str, Any]:
    """Return the stored form of a valid body."""
    here = work.session, work.workspace_id
    limit = text_limit(*here, body, directory)
    kept = bodies.checked(body, there(*here, directory), limit)
    toml_form.check_length(kept)
    return bodies.plain(kept)


def checked_name(name: str) -> str:
    """Return the name of a sequence, validated.

    :raises SequenceError: if it is empty or too long.
    """
    refusal: InvalidError = SequenceError(
        _l("The name must have 1 to 40 characters, so nothing was saved."),
        next_step=_l("Give it a name."),
        field="name",
    )
    return names.checked(name, refusal)
