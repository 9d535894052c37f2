"""Permissions and roles, in one table. Every route names the permission it needs.

A role belongs to a workspace; admins of the desk have additional rights. The accounts that a member sees are
decided separately: :mod:`host.users.reach`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.core.backports.values import replace
from host.features import registry
from host.models.users import Role


class Permission(StrEnum):
    """The permissions a route may require."""

    OPEN = "open"
    OWN_ACCOUNT = "own_account"
    READ = "read"
    ANSWER = "answer"
    ERASE = "erase"
    REPORTS = "reports"
    SHARED = "shared"
    TEAMS = "teams"
    HOURS = "hours"
    AUDIT = "audit"
    SETTINGS = "settings"
    ACCOUNTS = "accounts"
    PEOPLE = "people"
    KEYS = "keys"
    DESK = "desk"


class Grant(msgspec.Struct, frozen=True):
    """A line of the table of permissions.

    :param roles: roles that have it in a workspace.
    :param admin: whether admins of the desk have it, with or without a workspace.
    :param signed_in: whether every signed-in person has it; *anybody*: signed-out people, too.
    :param limited: whether a member limited to some accounts has it for those accounts only.
    """

    group: LazyString
    words: LazyString
    roles: frozenset[Role] = frozenset()
    admin: bool = False
    signed_in: bool = False
    anybody: bool = False
    limited: bool = False


_CONVERSATIONS, _TEAM_WORK, _WORKSPACE = _l("Conversations"), _l("Team work"), _l("Workspace")
_DESK, _EVERYBODY = _l("This desk"), _l("Everyone")

_OWNER = frozenset({Role.OWNER})
_LEADS = frozenset({Role.OWNER, Role.LEAD})
_WRITERS = frozenset({Role.OWNER, Role.LEAD, Role.AGENT})
_READERS = frozenset({Role.OWNER, Role.LEAD, Role.AUDITOR})

TABLE: Mapping[Permission, Grant] = {
    Permission.READ: Grant(_CONVERSATIONS, _l("Read them"), frozenset(Role), limited=True),
    Permission.ANSWER: Grant(
        _CONVERSATIONS, _l("Reply, assign, close, write private notes"), _WRITERS, limited=True
    ),
    Permission.ERASE: Grant(_CONVERSATIONS, _l("Erase a customer’s data"), _OWNER),
    Permission.REPORTS: Grant(_TEAM_WORK, _l("Today and reports"), _READERS),
    Permission.SHARED: Grant(_TEAM_WORK, _l("Shared views, labels and canned replies"), _LEADS),
    Permission.TEAMS: Grant(_TEAM_WORK, _l("Teams"), _LEADS),
    Permission.HOURS: Grant(_TEAM_WORK, _l("Business hours"), _LEADS),
    Permission.AUDIT: Grant(_WORKSPACE, _l("Read the workspace audit log"), _OWNER | {Role.AUDITOR}),
    Permission.SETTINGS: Grant(_WORKSPACE, _l("Workspace settings"), _OWNER),
    Permission.ACCOUNTS: Grant(_WORKSPACE, _l("Accounts: connect, diagnose, disconnect"), _OWNER),
    Permission.PEOPLE: Grant(_WORKSPACE, _l("People: invite, roles, access to accounts"), _OWNER),
    Permission.KEYS: Grant(_WORKSPACE, _l("API keys and access for other programs"), _OWNER),
    Permission.DESK: Grant(
        _DESK, _l("Addons, health, received events, all workspaces, people and audit log"), admin=True
    ),
    Permission.OWN_ACCOUNT: Grant(_EVERYBODY, _l("Your own account and notifications"), signed_in=True),
    Permission.OPEN: Grant(_EVERYBODY, _l("Sign in, accept an invitation, choose a password"), anybody=True),
}

ROLE_NAMES: Mapping[Role, LazyString] = {
    Role.AUDITOR: _l("Auditor"),
    Role.AGENT: _l("Agent"),
    Role.LEAD: _l("Lead"),
    Role.OWNER: _l("Owner"),
}
"""The names of the roles, from the least privileged up."""

ROLE_WORDS: Mapping[Role, LazyString] = {
    Role.AUDITOR: _l("Reads everything, writes nothing"),
    Role.AGENT: _l("Reads and replies in accounts they can see"),
    Role.LEAD: _l("Also shared views, canned replies and teams"),
    Role.OWNER: _l("Also accounts, people and settings"),
}


def shown() -> dict[Permission, Grant]:
    """Return the lines of the table for this desk, which don't name reports if reports are disabled."""
    if registry.is_on("reports"):
        return dict(TABLE)
    return {**TABLE, Permission.REPORTS: replace(TABLE[Permission.REPORTS], words=_l("Today"))}


def may(role: Role, permission: Permission) -> bool:
    """Return whether a member with *role* has *permission* in their workspace."""
    grant = TABLE[permission]
    return role in grant.roles or grant.signed_in or grant.anybody


def with_permission(permission: Permission) -> frozenset[Role]:
    """Return the roles that have *permission*."""
    return TABLE[permission].roles


LIMITABLE = frozenset({Role.AGENT})
"""Roles that can be limited to some accounts; the others are responsible for all of them, or audit them."""
