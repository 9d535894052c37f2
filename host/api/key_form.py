"""The form of a new API key: what it offers, and what somebody chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple, TypeVar

import msgspec
from flask import request
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from host.core import clock
from host.core.errors import InvalidError
from host.features import registry
from host.users.api_keys import BEFORE, GRANTABLE, KeyRow, Limit, Scope
from host.web import account_picker, local_times
from host.web.request_helpers import id_in

CUSTOM = "custom"
NEVER, ON_DATE = "never", "date"
DAYS = (30, 90, 365)
MOST_YEARS = 10
"""Furthest expiry that can be chosen; beyond it, a key may as well never expire."""


T = TypeVar("T", "Preset", "Resource")


class Preset(NamedTuple):
    """Scopes with a name that says what they are for.

    :param of: the features they are for, of which one has to be on; empty: they are for all.
    """

    value: str
    name: object
    about: object
    scopes: frozenset[Scope]
    of: tuple[str, ...] = ()


class Resource(NamedTuple):
    """A resource with its scopes; None: there is no such scope.

    :param of: as of :class:`Preset`.
    """

    name: object
    about: object
    read: Scope | None
    write: Scope | None
    of: tuple[str, ...] = ()


PRESETS = (
    Preset(
        "write",
        _l("Everything"),
        _l("All scopes, with settings, export, erasing and approving. For programs you trust like an owner."),
        GRANTABLE,
    ),
    Preset(
        "read",
        _l("Read only"),
        _l("Reads everything, changes nothing and exports no contact."),
        frozenset(scope for scope in GRANTABLE if not scope.writes) - {Scope.EXPORT},
    ),
    Preset(
        "answer",
        _l("Answer messages"),
        _l("Reads conversations and contacts, replies, assigns, labels and closes."),
        frozenset(
            {
                Scope.CONVERSATIONS_READ,
                Scope.CONVERSATIONS_WRITE,
                Scope.MESSAGES_READ,
                Scope.MESSAGES_WRITE,
                Scope.CONTACTS_READ,
            }
        ),
    ),
    Preset(
        "reports",
        _l("Reports"),
        _l("Reads figures, but no messages."),
        frozenset({Scope.REPORTS_READ}),
        ("reports",),
    ),
)
"""Scopes an owner can give a key with one choice."""

RESOURCES = (
    Resource(
        _l("Conversations"),
        _l("Read also posts, labels, views and teams. Change: assign, close, label, snooze."),
        Scope.CONVERSATIONS_READ,
        Scope.CONVERSATIONS_WRITE,
    ),
    Resource(
        _l("Messages"),
        _l("Read also files, search and canned replies. Change: send, forward, react, add notes."),
        Scope.MESSAGES_READ,
        Scope.MESSAGES_WRITE,
    ),
    Resource(
        _l("Contacts"),
        _l("Change: edit, block, merge, opt out."),
        Scope.CONTACTS_READ,
        Scope.CONTACTS_WRITE,
    ),
    Resource(_l("Reports"), _l("The figures of the Reports page."), Scope.REPORTS_READ, None, ("reports",)),
    Resource(
        _l("Automation"),
        _l("Read rules, campaigns and assistants. Change: try assistants, rate and use their answers."),
        Scope.AUTOMATION_READ,
        Scope.AUTOMATION_WRITE,
        ("rules", "assistants"),
    ),
    Resource(
        _l("Settings"),
        _l("Change: accounts, labels, teams, canned replies, automation, integrations and more."),
        Scope.SETTINGS_READ,
        Scope.SETTINGS_WRITE,
    ),
    Resource(_l("Connect accounts"), _l("Connect and disconnect accounts."), None, Scope.ACCOUNTS_WRITE),
    Resource(_l("Export"), _l("Download everything about a contact as a file."), Scope.EXPORT, None),
    Resource(_l("Erase"), _l("Erase everything about a contact. This can't be undone."), None, Scope.ERASE),
    Resource(
        _l("Approve"),
        _l("Approve what assistants ask for, such as payments: for programs through which a person decides."),
        None,
        Scope.APPROVE,
        ("assistants",),
    ),
)


def offered(of_all: Sequence[T]) -> list[T]:
    """Return those of features that are on, and of none."""
    return [one for one in of_all if not one.of or any(map(registry.is_on, one.of))]


_BEFORE_NAMES: Mapping[frozenset[Scope], object] = {
    frozenset({Scope.READ}): lazy_pgettext("permission", "Read"),
    frozenset({Scope.READ, Scope.WRITE}): _l("Read and write"),
}


class KeyForm(msgspec.Struct, frozen=True):
    """The choices in the form, as sent; nothing is checked yet."""

    name: str = ""
    preset: str = "read"
    scopes: frozenset[str] = frozenset()
    expires: str = NEVER
    day: str = ""
    limited: bool = False
    accounts: tuple[int, ...] = ()
    teams: tuple[int, ...] = ()
    automatic: bool = False
    zone: tzinfo = UTC
    """That of the page, in which its last day ends."""

    def chosen(self) -> frozenset[Scope]:
        """Return the scopes of the chosen preset, or those that were ticked; empty if there are none."""
        if self.preset == CUSTOM:
            return frozenset(scope for scope in GRANTABLE if scope in self.scopes)
        return next((one.scopes for one in PRESETS if one.value == self.preset), frozenset())

    def expires_at(self) -> datetime | None:
        """Return when the key expires: after some days, or at the end of a day in the page's time zone.

        :raises InvalidError: if that is not a day within :data:`MOST_YEARS`.
        """
        if self.expires == NEVER:
            return None
        now = clock.now()
        if self.expires in map(str, DAYS):
            return now + timedelta(days=int(self.expires))
        wrong = InvalidError(
            _l("Choose an expiry date within %(n)s years, or no expiry.", n=MOST_YEARS),
            next_step="",
            field="expires",
        )
        if self.expires != ON_DATE:
            raise wrong
        try:
            day = datetime.strptime(self.day.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
            end = datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)
        except (ValueError, OverflowError):
            raise wrong from None
        if end > now + timedelta(days=366 * MOST_YEARS):
            raise wrong
        return end

    def limit(self) -> Limit:
        """Return the chosen accounts and teams.

        :raises InvalidError: if the key is to be limited, but to nothing.
        """
        if not self.limited:
            return Limit()
        found = Limit(self.accounts, self.teams)
        if not found:
            raise InvalidError(
                _l("Choose at least one account or team."),
                next_step=_l("Or let the key see all accounts."),
                field="limit",
            )
        return found


def given() -> KeyForm:
    """Return the form of the current request.

    :raises InvalidError: for an account or a team that is not an id.
    """
    form = request.form
    return KeyForm(
        name=form.get("name", ""),
        preset=form.get("scopes", ""),
        scopes=frozenset(form.getlist("scope")),
        expires=form.get("expires", NEVER),
        day=form.get("expires_on", ""),
        limited=form.get("see", "all") != "all",
        accounts=tuple(account_picker.chosen_ids()),
        teams=tuple(dict.fromkeys(id_in(one, "team") for one in form.getlist("team"))),
        automatic="automatic" in form,
        zone=local_times.page_zone(form, "expires_on"),
    )


class Access(NamedTuple):
    """The access of a key, in words: a name, and for each resource whether it reads or writes it."""

    name: object
    parts: Sequence[tuple[object, bool, bool]]


def access_of(row: KeyRow) -> Access:
    """Return what a key may do."""
    if row.before:
        before = row.scopes.intersection(BEFORE)
        return Access(_BEFORE_NAMES.get(before, ", ".join(sorted(before))), ())
    name = next((one.name for one in PRESETS if one.scopes == row.scopes), _l("Selected scopes"))
    return Access(
        name,
        [
            # What has one scope is named by what it allows.
            (one.name, one.read in row.scopes, one.read is not None and one.write in row.scopes)
            for one in RESOURCES
            if not row.scopes.isdisjoint({one.read, one.write})
        ],
    )
