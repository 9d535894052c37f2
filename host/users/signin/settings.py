"""Sign-in settings of this desk: required second factors, the provider, permission to use passwords.

The provider's address, id and secret come from the environment if it sets the address, all three together;
all other settings are on a page.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from host.core import guard, secrets
from host.core.config import Config
from host.core.errors import ConflictError, InvalidError
from host.core.secrets import Place, Secret
from host.models.signing_in import RequirementScope, SignInSettings
from host.models.users import Role, Workspace
from host.users.actor import DeskWork
from host.users.sessions import SECOND_FACTOR_WANTED

MAX_RULES = 100
MAX_LABEL = 60
MAX_SECRET = 1000
EVERYONE = "*"
"""Group name that stands for everyone who signs in through the provider."""


class Provider(msgspec.Struct, frozen=True):
    """The sign-in provider.

    :param environment: whether it is set in the environment.
    """

    issuer: str
    client_id: str
    secret: Secret | None
    environment: bool


class GroupRule(msgspec.Struct, frozen=True):
    """A rule that gives members of a group a role in a workspace or, without a role, makes them admins."""

    group: str
    workspace_id: int | None = None
    role: Role | None = None


class SignIn(msgspec.Struct, frozen=True):
    """The sign-in settings. See :class:`host.models.signing_in.SignInSettings` for their meaning."""

    second_factor: RequirementScope = RequirementScope.NOBODY
    passwords: RequirementScope = RequirementScope.EVERYBODY
    provider: Provider | None = None
    label: str = ""
    joins: bool = False
    trusted: bool = False
    groups_claim: str = "groups"
    groups: Sequence[GroupRule] = ()
    tells_when: bool = True
    """Whether the provider reports sign-in times, as far as known; only then can it confirm identities."""

    def may_use_password(self, *, is_admin: bool) -> bool:
        """Return whether a person may sign in without the provider: with a password or a passkey."""
        return self.provider is None or is_admin or self.passwords is not RequirementScope.ADMINS

    @property
    def provider_label(self) -> str:
        """Name of the provider: the one an admin chose, else its host name."""
        return self.label or ("" if self.provider is None else urlsplit(self.provider.issuer).hostname or "")


def read(session: Session, config: Config) -> SignIn:
    """Return the current sign-in settings. One query."""
    row = _row(session)
    provider = None
    if config.oidc_issuer:
        secret = Secret(config.oidc_client_secret) if config.oidc_client_secret else None
        provider = Provider(config.oidc_issuer, config.oidc_client_id, secret, environment=True)
    elif row is not None and row.issuer:
        secret = secrets.keyring().open(row.client_secret, _place(row)) if row.client_secret else None
        provider = Provider(row.issuer, row.client_id, secret, environment=False)
    if row is None:
        return SignIn(provider=provider)
    return SignIn(
        second_factor=RequirementScope(row.second_factor),
        passwords=RequirementScope(row.passwords),
        provider=provider,
        label=row.label,
        joins=row.joins,
        trusted=row.trusted,
        groups_claim=row.groups_claim,
        groups=[
            GroupRule(one["group"], one["workspace"], Role(one["role"]) if one["role"] else None)
            for one in row.groups
        ],
        tells_when=provider is None or row.no_auth_time_from != provider.issuer,
    )


def wants_second(session: Session, *, is_admin: bool) -> bool:
    """Return whether a person must have a second factor."""
    wanted = session.scalar(SECOND_FACTOR_WANTED)
    return wanted == RequirementScope.EVERYBODY or (is_admin and wanted == RequirementScope.ADMINS)


def save_second_factor(work: DeskWork, wanted: RequirementScope) -> None:
    """Set who must have a second factor. People without one are asked to set one up at their next page."""
    _own_row(work.session).second_factor = wanted
    work.audit("sign_in.second_factor_wanted", wanted.value)


def save_provider(
    work: DeskWork,
    *,
    issuer: str,
    client_id: str,
    secret: Secret | None,
    keep_secret: bool,
    label: str,
    passwords: RequirementScope,
    joins: bool,
    trusted: bool,
    groups_claim: str,
    groups: Sequence[GroupRule],
    given: str = "",
) -> None:
    """Set the sign-in provider; an empty *issuer* removes it.

    :param given: the issuer that the environment sets; that and what belongs to it are not stored.
    :param keep_secret: keep the stored secret and ignore *secret*. A new issuer removes it: a secret is only
        sent to the issuer for which it was entered.
    :raises InvalidError: for an invalid address, group or role.
    """
    session = work.session
    if given:
        issuer, client_id, secret = "", "", None
    address = clean_issuer(issuer)
    if address and not _line(client_id, 255):
        raise InvalidError(
            _l("Enter the client ID that the provider gave you."), next_step="", field="client_id"
        )
    if secret is not None and len(secret.reveal()) > MAX_SECRET:
        raise InvalidError(_l("The secret is too long."), next_step="", field="secret")
    _check(session, groups)
    row = _own_row(session)
    if secret is not None:
        row.client_secret = secrets.keyring().seal(secret, _place(row))
    elif not keep_secret or row.issuer != address:
        row.client_secret = None
    row.issuer, row.client_id = address, _line(client_id, 255)
    row.label = _line(label, MAX_LABEL)
    row.passwords, row.joins, row.trusted = passwords, joins, trusted
    row.groups_claim = _line(groups_claim, 60) or "groups"
    row.groups = [
        {"group": _line(one.group, 255), "workspace": one.workspace_id, "role": one.role and one.role.value}
        for one in groups
    ]
    row.no_auth_time_from = None  # this may have been fixed at the provider
    work.audit("sign_in.provider_changed", given or issuer or "–")


def note_auth_time(session: Session, issuer: str, *, sent: bool) -> None:
    """Store whether the last ID token of a provider had the time of the sign-in there."""
    _own_row(session).no_auth_time_from = None if sent else issuer
    session.flush()


def clean_issuer(text: str) -> str:
    """Return the address of a provider in its own spelling.

    :raises InvalidError: if it is invalid, or leads to the local network without the setting that allows
        this.
    """
    address = text.strip()
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = "", 0
    typed = all(letter.isprintable() and letter != " " for letter in address)
    usable = (
        typed
        and host
        and not parts.query
        and not parts.fragment
        and not parts.username
        and len(address) <= 255
    )
    if not usable or parts.scheme not in {"http", "https"}:
        raise InvalidError(
            _l("This is not a provider URL."),
            next_step=_l("Use a URL such as https://login.example.com."),
            field="issuer",
        )
    if not guard.is_exempt(host, port, sign_in=True) and (parts.scheme != "https" or port != 443):
        raise InvalidError(
            _l("The provider must use https on port 443."),
            next_step=_l("To use one on your own network, list it in LOBBY_OIDC_HOSTS as host:port."),
            field="issuer",
        )
    return address


def _check(session: Session, groups: Sequence[GroupRule]) -> None:
    if len(groups) > MAX_RULES:
        raise InvalidError(_l("You have reached the limit of 100 group lines."), next_step="", field="groups")
    places = set(session.scalars(sa.select(Workspace.id)))
    for one in groups:
        if (
            not _line(one.group, 255)
            or len(one.group) > 255
            or (one.workspace_id is None) != (one.role is None)
        ):
            raise InvalidError(field="groups")
        if one.workspace_id is not None and one.workspace_id not in places:
            raise InvalidError(_l("One of these workspaces no longer exists."), next_step="", field="groups")
        if one.group == EVERYONE and one.workspace_id is None:
            raise InvalidError(
                _l("Not everyone can be an admin."), next_step=_l("Enter a group."), field="groups"
            )


def _line(text: str, most: int) -> str:
    """Return *text* on one line, without invisible characters, cut to the maximum length."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:most]


def _row(session: Session) -> SignInSettings | None:
    return session.scalar(sa.select(SignInSettings).order_by(SignInSettings.id).limit(1))


def _own_row(session: Session) -> SignInSettings:
    row = session.scalar(sa.select(SignInSettings).order_by(SignInSettings.id).limit(1).with_for_update())
    if row is not None:
        return row
    row = SignInSettings(
        id=1,
        uuid=str(uuid.uuid4()),
        second_factor=RequirementScope.NOBODY,
        passwords=RequirementScope.EVERYBODY,
        issuer="",
        client_id="",
        label="",
        joins=False,
        trusted=False,
        groups_claim="groups",
        groups=[],
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError() from error  # two admins, the very first time
    return row


def _place(row: SignInSettings) -> Place:
    return Place("sign_in_settings", "client_secret", 0, row.uuid)
