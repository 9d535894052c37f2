"""Manage the rules of a workspace: their order, states and versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation import actions
from host.channels import abilities
from host.channels.directory import Directory
from host.core.errors import InvalidError, NotFoundError
from host.features import registry
from host.inbox import names
from host.inbox.canned.replies import Viewer
from host.inbox.contacts import attributes
from host.inbox.teams.models import Team, TeamMember
from host.models.channels import AccountState, ChannelAccount
from host.rules import body as bodies
from host.rules import posts
from host.rules.body import Body, RuleError, RuleTargets
from host.rules.models import Rule, RuleState, RuleVersion
from host.users.actor import UnitOfWork
from host.users.workspaces import SavedMeanwhileError

MOST = 200
"""Most rules per workspace."""


class RuleNotFoundError(NotFoundError):
    """There is no such rule in this workspace."""

    code = "rule_not_found"
    title = _l("Rule not found")
    default_sentence = _l("This rule does not exist. Someone may have deleted it.")
    default_next_step = lazy_pgettext("rule", "Choose another one.")
    program_step = ""


class RuleView(msgspec.Struct, frozen=True):
    """A rule as shown in the list.

    :param body: None: a newer Lobby wrote it, and it does nothing here.
    :param gone: the place of a reference to a deleted object; empty if there is none.
    :param rests: whether it is inactive, because the addons it needs are not running.
    :param silent: names of a campaign's accounts that can't send until they are reconnected.
    """

    id: int
    name: str
    state: RuleState
    version: int
    state_at: datetime
    author: str
    changed_at: datetime
    body: Body | None
    gone: str = ""
    rests: bool = False
    silent: str = ""

    @property
    def acts(self) -> bool:
        """Return whether it is live or in shadow mode."""
        return self.state in {RuleState.LIVE, RuleState.SHADOW}

    @property
    def is_campaign(self) -> bool:
        return self.body is not None and self.body.campaign is not None


def there(session: Session, workspace_id: int, directory: Directory) -> RuleTargets:
    """Return all objects that the rules of a workspace may refer to."""
    members = sa.select(TeamMember.team_id).where(TeamMember.workspace_id == workspace_id)
    empty = sa.select(Team.id).where(Team.workspace_id == workspace_id, Team.id.not_in(members))
    about = (
        *(ChannelAccount.id, ChannelAccount.name, ChannelAccount.handle, ChannelAccount.channel),
        ChannelAccount.state,
    )
    accounts = session.execute(
        sa.select(*about).where(
            ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
        )
    ).all()
    addresses = registry.hooks().addresses(session=session, workspace_id=workspace_id)
    sequences = registry.hooks().rule_sequences(session=session, workspace_id=workspace_id) or {}
    details = {one.id: one for one in attributes.all_of(session, workspace_id)}
    below = posts.titles(session, workspace_id)
    replies = {one.key: one.capabilities.private_replies for one in directory.adapters}
    return RuleTargets(
        targets=actions.targets(session, workspace_id, Viewer(None, keeps=False)),
        accounts={row.id: row.name or row.handle or "" for row in accounts},
        handles={row.id: row.handle or "" for row in accounts},
        attributes={id_: one.name for id_, one in details.items()},
        details=details,
        endpoints=addresses or {},
        sequences={id_: one.name for id_, one in sequences.items()},
        live_sequences=[id_ for id_, one in sequences.items() if one.live],
        startable=[id_ for id_, one in sequences.items() if one.by_rules],
        empty_teams=frozenset(session.scalars(empty)),
        conditions=directory.conditions,
        actions=directory.actions,
        channels={key: directory.label(key) for key in directory.keys},
        abilities=abilities.of_workspace(directory.adapters, {row.channel for row in accounts}),
        posts={id_: title for id_, (title, _account) in below.items()},
        post_accounts={id_: account_id for id_, (_title, account_id) in below.items()},
        running={row.id: row.channel for row in accounts if row.channel in replies},
        stopped=[row.id for row in accounts if row.state == AccountState.NEEDS_RECONNECT],
        below=[row.id for row in accounts if replies.get(row.channel) is not None],
        public=any(one.capabilities.public for one in directory.adapters),
        private=min(
            (one for one in replies.values() if one is not None),
            key=lambda one: one.text_limit_bytes,
            default=None,
        ),
    )


def _newest(workspace_id: int) -> Any:
    return (
        sa.select(Rule, RuleVersion)
        .join(RuleVersion, sa.and_(RuleVersion.rule_id == Rule.id, RuleVersion.number == Rule.version))
        .where(Rule.workspace_id == workspace_id)
        .order_by(Rule.position, Rule.id)
    )


def listing(session: Session, workspace_id: int, what: RuleTargets) -> list[RuleView]:
    """Return the rules of a workspace, in order, in one statement."""
    return [_shown(rule, version, what) for rule, version in session.execute(_newest(workspace_id))]


def shown(session: Session, workspace_id: int, rule_id: int, what: RuleTargets) -> RuleView:
    """Return one rule.

    :raises RuleNotFoundError: if there is none.
    """
    found = session.execute(_newest(workspace_id).where(Rule.id == rule_id)).one_or_none()
    if found is None:
        raise RuleNotFoundError()
    return _shown(found[0], found[1], what)


def _shown(rule: Rule, version: RuleVersion, what: RuleTargets) -> RuleView:
    body = bodies.read(version.body)
    gone = "" if body is None else bodies.gone(body, what)
    return RuleView(
        rule.id,
        rule.name,
        RuleState(rule.state),
        rule.version,
        rule.state_at,
        version.author,
        version.at,
        body,
        gone,
        body is not None and bodies.rests(body, what),
        "" if body is None else bodies.silent(body, what),
    )


def versions(session: Session, rule_id: int) -> Sequence[RuleVersion]:
    """Return the versions of a rule, newest first."""
    query = sa.select(RuleVersion).where(RuleVersion.rule_id == rule_id)
    return session.scalars(query.order_by(RuleVersion.number.desc())).all()


def get(session: Session, workspace_id: int, rule_id: int, *, lock: bool = False) -> Rule:
    """Return a rule of the workspace.

    :param lock: whether to lock it until the write ends.
    :raises RuleNotFoundError: if there is none.
    """
    query = sa.select(Rule).where(Rule.id == rule_id, Rule.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    rule = session.scalars(query).one_or_none()
    if rule is None:
        raise RuleNotFoundError()
    return rule


def create(
    work: UnitOfWork, *, name: str, body: Body, what: RuleTargets, state: RuleState = RuleState.SHADOW
) -> Rule:
    """Add a rule after the others and return it.

    :raises RuleError: if it has no name, is invalid, or there are already :data:`MOST`.
    """
    number, last = work.session.execute(
        sa.select(sa.func.count(), sa.func.max(Rule.position)).where(Rule.workspace_id == work.workspace_id)
    ).one()
    if number >= MOST:
        raise RuleError(_l("You have reached the limit of 200 rules."), field="name")
    rule = Rule(
        workspace_id=work.workspace_id,
        name=checked_name(name),
        state=state,
        position=(last or 0) + 1,
        version=1,
        state_at=work.now,
        created_at=work.now,
    )
    kept = bodies.plain(bodies.checked(body, what))
    work.session.add(rule)
    work.session.flush()
    _add_version(work, rule, kept)
    work.audit("rule.added", rule.name, details={"state": state})
    return rule


def _add_version(work: UnitOfWork, rule: Rule, body: dict[str, Any]) -> None:
    row = RuleVersion(rule_id=rule.id, number=rule.version, body=body, author=work.actor.author, at=work.now)
    work.session.add(row)
    work.session.flush()


def change(
    work: UnitOfWork,
    rule_id: int,
    *,
    name: str,
    body: Body,
    what: RuleTargets,
    version: int | None = None,
    state: RuleState | None = None,
) -> Rule:
    """Change the name, definition and state of a rule and return it. Earlier versions are kept.

    :param version: the version the page showed; None: overwrite newer versions.
    :param state: None: unchanged.
    :raises RuleNotFoundError: if there is none.
    :raises SavedMeanwhileError: if a newer version than *version* was saved.

    Also raises the errors of :func:`create`.
    """
    rule = get(work.session, work.workspace_id, rule_id, lock=True)
    if version is not None and version != rule.version:
        raise SavedMeanwhileError()
    stood = rule.name, rule.version
    rule.name = checked_name(name)
    before = work.session.get_one(RuleVersion, (rule.id, rule.version))
    kept = bodies.plain(bodies.checked(body, what))
    if kept != before.body:
        rule.version += 1
        _add_version(work, rule, kept)
    work.session.flush()
    if (rule.name, rule.version) != stood:
        work.audit("rule.changed", rule.name, details={"version": rule.version})
    if state is not None:
        set_state(work, rule, state)
    return rule


def set_state(work: UnitOfWork, rule: Rule, state: RuleState) -> None:
    """Set the state of a rule, if it differs."""
    if rule.state == state:
        return
    details = {"state": state, "before": rule.state}
    rule.state, rule.state_at = state, work.now
    work.session.flush()
    work.audit("rule.state", rule.name, details=details)


def put_in_state(work: UnitOfWork, rule_id: int, state: RuleState, what: RuleTargets) -> Rule:
    """Set the state of a rule and return it. A rule that refers to a deleted object cannot go live.

    :raises RuleNotFoundError: if there is none.
    :raises RuleError: if it would be active, and part of it is invalid.
    """
    rule = get(work.session, work.workspace_id, rule_id, lock=True)
    if state in {RuleState.LIVE, RuleState.SHADOW}:
        body = bodies.read(work.session.get_one(RuleVersion, (rule.id, rule.version)).body)
        if body is None:
            raise RuleError(_l("This rule was created by a newer version of Lobby and can't run here."))
        bodies.checked(body, what)
    set_state(work, rule, state)
    return rule


def move(work: UnitOfWork, rule_id: int, step: int) -> None:
    """Move a rule up (*step* -1) or down (1).

    :raises RuleNotFoundError: if there is none.
    """
    query = sa.select(Rule).where(Rule.workspace_id == work.workspace_id).order_by(Rule.id).with_for_update()
    order = sorted(work.session.scalars(query), key=lambda one: (one.position, one.id))
    here = next((at for at, one in enumerate(order) if one.id == rule_id), None)
    if here is None:
        raise RuleNotFoundError()
    there_ = min(max(here + step, 0), len(order) - 1)
    rule = order.pop(here)
    before = rule.position
    order.insert(there_, rule)
    for position, one in enumerate(order, 1):
        one.position = position
    work.session.flush()
    if rule.position != before:
        work.audit("rule.moved", rule.name, details={"place": rule.position})


def delete(work: UnitOfWork, rule_id: int) -> str:
    """Delete a rule with its versions and return its name. Its actions are not undone, and its runs are kept.

    :raises RuleNotFoundError: if there is none.
    """
    rule = get(work.session, work.workspace_id, rule_id, lock=True)
    work.session.execute(sa.delete(RuleVersion).where(RuleVersion.rule_id == rule.id))
    work.session.execute(sa.delete(Rule).where(Rule.id == rule.id))
    work.session.expunge(rule)
    work.audit("rule.deleted", rule.name)
    return rule.name


def checked_name(name: str) -> str:
    """Return the name of a rule, validated.

    :raises RuleError: if it is empty or too long.
    """
    refusal: InvalidError = RuleError(
        _l("The name must have 1 to 40 characters, so nothing was saved."),
        next_step=_l("Give it a name."),
        field="name",
    )
    return names.checked(name, refusal)
