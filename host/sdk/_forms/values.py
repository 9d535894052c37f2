"""The values of addons' settings forms, kept in memory until one of them changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.core import db, secrets
from host.core.secrets import Place, Secret
from host.models.addons import AddonSettingValue
from host.sdk._forms.fields import Form, Plain, SettingField, is_value
from host.sdk.errors import SdkError, SettingsMissingError

Values = Mapping[str, Plain | Secret]

DESK = 0
"""In place of the id of a workspace: values for the whole server."""
MOST_KEPT = 10_000
"""Maximum number of forms with their values in memory."""


class Forms(NamedTuple):
    """The forms that an addon declares; None: it declares none."""

    workspace: Form | None = None
    desk: Form | None = None

    def of(self, workspace_id: int) -> Form | None:
        """Return the form of a workspace, or that of the server for :data:`DESK`."""
        return self.desk if workspace_id == DESK else self.workspace


class _CachedForm(NamedTuple):
    """The values that were read, and the names of required settings without one."""

    seen: tuple[object, int, Form]
    values: Values
    missing: tuple[str, ...]


_forms: dict[str, Forms] = {}
_kept: dict[tuple[str, int], _CachedForm] = {}
_given: dict[str, tuple[Mapping[str, Plain | Secret] | None, Mapping[str, Plain | Secret] | None]] = {}
_lock = threading.Lock()


def declare(slug: str, forms: Forms) -> None:
    """Set the forms of an addon that starts, unless another release of it runs."""
    _forms.setdefault(slug, forms)


def use(forms: Mapping[str, Forms]) -> None:
    """Set the forms of all addons that run, and forget the values of others."""
    global _forms  # noqa: PLW0603 - the forms of the process
    _forms = dict(forms)
    with _lock:
        for key in [key for key in _kept if key[0] not in forms]:
            del _kept[key]


def of(slug: str, workspace_id: int) -> Values:
    """Return the values of a form, see :func:`host.sdk.settings.workspace`."""
    if slug in _given:
        return _of_test(slug, workspace_id)
    form = _forms.get(slug, Forms()).of(workspace_id)
    if not form:
        kind = "desk" if workspace_id == DESK else "workspace"
        raise SdkError(f"the manifest of addon {slug!r} declares no [settings.{kind}.<name>]")
    seen = (db.current(), counters.addon_settings(), form)
    kept = _kept.get((slug, workspace_id))
    if kept is None or kept.seen != seen:
        db.may_wait()
        with db.read() as session:
            kept = _read(session, slug, workspace_id, form, seen)
        _keep((slug, workspace_id), kept)
    if kept.missing:
        raise SettingsMissingError(slug, kept.missing, workspace_id or None)
    return kept.values


def _read(
    session: Session, slug: str, workspace_id: int, form: Form, seen: tuple[object, int, Form]
) -> _CachedForm:
    rows = stored(session, slug, workspace_id)
    found = {name: value_of(field, rows.get(name)) for name, field in form.items()}
    values = {name: value for name, value in found.items() if value is not None}
    missing = tuple(name for name, field in form.items() if field.required and name not in values)
    return _CachedForm(seen, MappingProxyType(values), missing)


def _keep(key: tuple[str, int], kept: _CachedForm) -> None:
    with _lock:
        while len(_kept) >= MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = kept


def stored(session: Session, slug: str, workspace_id: int) -> dict[str, AddonSettingValue]:
    """Return the rows of an addon's form by name, including those of settings it no longer declares."""
    query = sa.select(AddonSettingValue).where(
        AddonSettingValue.slug == slug, AddonSettingValue.workspace_id == workspace_id
    )
    return {row.name: row for row in session.scalars(query)}


def value_of(field: SettingField, row: AddonSettingValue | None) -> Plain | Secret | None:
    """Return the value of *field*; None if there is none.

    A value entered when the setting had another type or other limits counts as none.

    :raises SecretUnreadableError: if a secret cannot be decrypted.
    """
    if field.secret:
        return secrets.keyring().open(row.secret, place(row)) if row is not None and row.secret else None
    entered = entered_value(field, row)
    return field.fallback if entered is None else entered


def entered_value(field: SettingField, row: AddonSettingValue | None) -> Plain | None:
    """Return what was entered in *field*, which is no secret; None if nothing was."""
    if field.secret or row is None or row.value is None:
        return None
    value: Plain = json.loads(row.value)
    return value if is_value(field, value) else None


def place(row: AddonSettingValue) -> Place:
    """Return the place for which a secret in *row* is sealed."""
    return Place(AddonSettingValue.__tablename__, "secret", row.workspace_id, row.uuid)


# For tests of authors


@contextmanager
def provided(slug: str, workspace: Values | None, desk: Values | None) -> Iterator[None]:
    """Return these values for an addon, without a database or a manifest."""
    before = _given.get(slug)
    _given[slug] = (workspace, desk)
    try:
        yield
    finally:
        if before is None:
            _given.pop(slug, None)
        else:
            _given[slug] = before


def _of_test(slug: str, workspace_id: int) -> Values:
    workspace, desk = _given[slug]
    found = desk if workspace_id == DESK else workspace
    if found is None:
        raise SdkError(f"the test provides no such settings for addon {slug!r}")
    return MappingProxyType(dict(found))
