"""Keep the rules of a workspace: their order, their states and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation.rules import body as bodies
from host.automation.rules import posts
from host.automation.rules.body import Body, RuleError, There
from host.channels.directory import Directory
from host.core.errors import InvalidError, NotFoundError
from host.inbox import names
from host.inbox.canned import macros
from host.inbox.canned.replies import Who
from host.inbox.contacts import attributes
from host.models.automation import Rule, RuleState, RuleVersion
from host.models.channels import AccountState, ChannelAccount
from host.models.outgoing import Endpoint
from host.models.teams import Team, TeamMember
from host.users.workspaces import SavedMeanwhileError

MOST = 200
"""Most rules of a workspace."""


class RuleNotFoundError(NotFoundError):
    """There is no such rule in this workspace."""

    code = "rule_not_found"
    title = _l("No such rule")
    default_sentence = _l("This rule does not exist. Somebody may have deleted it.")
    default_next_step = lazy_pgettext("rule", "Choose another one.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule as it stands in the list.

    :param body: None: it was made by a newer Lobby, and does nothing here.
    :param gone: the place of something it names that is gone, empty: nothing is.
    :param rests: whether it cannot act, because the addons it needs do not run.
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

    @property
    def acts(self) -> bool:
        """Tell whether it notes or does anything."""
        return self.state in {RuleState.LIVE, RuleState.SHADOW}


def there(session: Session, workspace_id: int, directory: Directory) -> There:
    """Return what rules of a workspace may name."""
    members = sa.select(TeamMember.team_id).where(TeamMember.workspace_id == workspace_id)
    empty = sa.select(Team.id).where(Team.workspace_id == workspace_id, Team.id.not_in(members))
    about = ChannelAccount.id, ChannelAccount.name, ChannelAccount.handle, ChannelAccount.channel
    accounts = session.execute(
        sa.select(*about).where(
            ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
        )
    ).all()
    endpoints = sa.select(Endpoint.id, Endpoint.url).where(Endpoint.workspace_id == workspace_id)
    below = posts.titles(session, workspace_id)
    replies = {one.key: one.capabilities.private_replies for one in directory.adapters}
    return There(
        steps=macros.named(session, workspace_id, Who(None, keeps=False)),
        accounts={row.id: row.name or row.handle or "" for row in accounts},
        handles={row.id: row.handle or "" for row in accounts},
        attributes={one.id: one.name for one in attributes.all_of(session, workspace_id)},
        endpoints={row.id: row.url for row in session.execute(endpoints)},
        empty_teams=frozenset(session.scalars(empty)),
        conditions=directory.conditions,
        actions=directory.actions,
        posts={id_: title for id_, (title, _account) in below.items()},
        post_accounts={id_: account_id for id_, (_title, account_id) in below.items()},
        running={row.id: row.channel for row in accounts if row.channel in replies},
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


def listing(session: Session, workspace_id: int, what: There) -> list[Shown]:
    """Return the rules of a workspace, in their order: one statement."""
    return [_shown(rule, version, what) for rule, version in session.execute(_newest(workspace_id))]


def campaigns(session: Session, workspace_id: int, what: There) -> list[Shown]:
    """Return the rules of a workspace that are campaigns, the newest first."""
    found = [one for one in listing(session, workspace_id, what) if one.body and one.body.campaign]
    return sorted(found, key=lambda one: -one.id)


def shown(session: Session, workspace_id: int, rule_id: int, what: There) -> Shown:
    """Return one rule.

    :raises RuleNotFoundError: if there is none.
    """
    found = session.execute(_newest(workspace_id).where(Rule.id == rule_id)).one_or_none()
    if found is None:
        raise RuleNotFoundError()
    return _shown(found[0], found[1], what)


def _shown(rule: Rule, version: RuleVersion, what: There) -> Shown:
    body = bodies.read(version.body)
    gone = "" if body is None else bodies.gone(body, what)
    return Shown(
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
    )


def versions(session: Session, rule_id: int) -> Sequence[RuleVersion]:
    """Return what a rule says and said, the newest first."""
    query = sa.select(RuleVersion).where(RuleVersion.rule_id == rule_id)
    return session.scalars(query.order_by(RuleVersion.number.desc())).all()


def get(session: Session, workspace_id: int, rule_id: int, *, lock: bool = False) -> Rule:
    """Return a rule of the workspace.

    :param lock: until the write ends.
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
    session: Session,
    *,
    workspace_id: int,
    name: str,
    body: Body,
    what: There,
    author: str,
    now: datetime,
    state: RuleState = RuleState.SHADOW,
) -> Rule:
    """Add a rule behind the others and return it.

    :raises RuleError: if it has no name, cannot be saved like that, or there are :data:`MOST`.
    """
    number, last = session.execute(
        sa.select(sa.func.count(), sa.func.max(Rule.position)).where(Rule.workspace_id == workspace_id)
    ).one()
    if number >= MOST:
        raise RuleError(_l("There are 200 rules already, which is the most."), field="name")
    rule = Rule(
        workspace_id=workspace_id,
        name=checked_name(name),
        state=state,
        position=(last or 0) + 1,
        version=1,
        state_at=now,
        created_at=now,
    )
    kept = bodies.plain(bodies.checked(body, what))
    session.add(rule)
    session.flush()
    session.add(RuleVersion(rule_id=rule.id, number=1, body=kept, author=author, at=now))
    session.flush()
    return rule


def change(
    session: Session,
    *,
    workspace_id: int,
    rule_id: int,
    name: str,
    body: Body,
    what: There,
    author: str,
    now: datetime,
    version: int | None = None,
    state: RuleState | None = None,
) -> Rule:
    """Give a rule a name, what it says and a state; what it said before is kept. Return it.

    :param version: the one the page showed; None: it does not matter what was saved since.
    :param state: None: it stays.
    :raises RuleNotFoundError: if there is none.
    :raises SavedMeanwhileError: if somebody saved since *version*.

    Besides, what :func:`create` raises.
    """
    rule = get(session, workspace_id, rule_id, lock=True)
    if version is not None and version != rule.version:
        raise SavedMeanwhileError()
    rule.name = checked_name(name)
    before = session.get_one(RuleVersion, (rule.id, rule.version))
    kept = bodies.plain(bodies.checked(body, what))
    if kept != before.body:
        rule.version += 1
        session.add(RuleVersion(rule_id=rule.id, number=rule.version, body=kept, author=author, at=now))
    if state is not None:
        set_state(rule, state, now)
    session.flush()
    return rule


def set_state(rule: Rule, state: RuleState, now: datetime) -> bool:
    """Put a rule into a state; return whether that changed anything."""
    if rule.state == state:
        return False
    rule.state, rule.state_at = state, now
    return True


def put_in_state(
    session: Session, *, workspace_id: int, rule_id: int, state: RuleState, what: There, now: datetime
) -> Rule:
    """Put a rule into a state and return it. One that names what is gone cannot go live.

    :raises RuleNotFoundError: if there is none.
    :raises RuleError: if it would act, and something in it cannot be done.
    """
    rule = get(session, workspace_id, rule_id, lock=True)
    if state in {RuleState.LIVE, RuleState.SHADOW}:
        body = bodies.read(session.get_one(RuleVersion, (rule.id, rule.version)).body)
        if body is None:
            raise RuleError(_l("This rule was made by a newer Lobby, and cannot act here."))
        bodies.checked(body, what)
    set_state(rule, state, now)
    session.flush()
    return rule


def move(session: Session, workspace_id: int, rule_id: int, step: int) -> None:
    """Move a rule up (*step* -1) or down (1).

    :raises RuleNotFoundError: if there is none.
    """
    query = sa.select(Rule).where(Rule.workspace_id == workspace_id).order_by(Rule.id).with_for_update()
    order = sorted(session.scalars(query), key=lambda one: (one.position, one.id))
    here = next((at for at, one in enumerate(order) if one.id == rule_id), None)
    if here is None:
        raise RuleNotFoundError()
    there_ = min(max(here + step, 0), len(order) - 1)
    order.insert(there_, order.pop(here))
    for position, one in enumerate(order, 1):
        one.position = position
    session.flush()


def delete(session: Session, workspace_id: int, rule_id: int) -> str:
    """Delete a rule with its versions and return its name. What it did stays done, and its runs are kept.

    :raises RuleNotFoundError: if there is none.
    """
    rule = get(session, workspace_id, rule_id, lock=True)
    name = rule.name
    session.execute(sa.delete(RuleVersion).where(RuleVersion.rule_id == rule.id))
    session.execute(sa.delete(Rule).where(Rule.id == rule.id))
    session.expunge(rule)
    return name


def checked_name(name: str) -> str:
    """Return the name of a rule as it is kept.

    :raises RuleError: if it is empty or too long.
    """
    refusal: InvalidError = RuleError(
        _l("A rule needs a name of at most 40 letters, so nothing was saved."),
        next_step=_l("Give it a name."),
        field="name",
    )
    return names.checked(name, refusal)
