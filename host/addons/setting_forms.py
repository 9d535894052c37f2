"""Settings that an addon declares as a form: what was entered, checking it, and saving it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.addons.package.manifest import Manifest, ManifestError, from_dict
from host.core import secrets
from host.core.secrets import Secret
from host.models.addons import Addon, AddonRelease, AddonSettingValue, AddonState
from host.models.users import Workspace
from host.sdk._forms.fields import (
    Form,
    Plain,
    RefusedValueError,
    SettingField,
    SettingType,
    read_entered,
    written,
)
from host.sdk._forms.values import DESK, entered_value, place, stored
from host.users.actor import DeskWork
from host.users.workspaces import SavedMeanwhileError
from host.web.languages import gettext as _


class FormRow(msgspec.Struct):
    """A field on the page.

    :param text: what its input shows; empty for a secret.
    :param usual: its default, as people read it; empty if it has none, or always shows its value.
    :param is_stored: whether a secret is stored.
    :param error: what is wrong with what was entered, which was not saved.
    :param found: what the addon's check says is wrong with what was saved.
    """

    name: str
    field: SettingField
    text: str = ""
    usual: str = ""
    is_stored: bool = False
    error: str = ""
    found: str = ""


class EnteredForm(msgspec.Struct):
    """A form on the page, or as a person sent it.

    :param rows: its fields, in the order of the manifest.
    :param version: number of the save that it shows, see :func:`save`.
    :param missing: names of required settings without a value.
    :param values: what to save, by name; None clears a setting. Secrets that stay as they are are absent.
    """

    rows: list[FormRow]
    version: int
    missing: tuple[str, ...]
    values: dict[str, Plain | Secret | None] = {}
    found: str = ""
    """Sentence of the addon's check about the settings as a whole."""

    @property
    def is_wrong(self) -> bool:
        """Whether it was refused."""
        return any(row.error for row in self.rows)


class FilledForm(NamedTuple):
    """A form that was sent: the text of each input, and the secrets to delete."""

    texts: Mapping[str, str]
    removed: frozenset[str] = frozenset()


def shown(session: Session, slug: str, workspace_id: int, form: Form, locale: str) -> EnteredForm:
    """Return the form with what is stored.

    :param workspace_id: or :data:`host.sdk._forms.values.DESK`.
    :param locale: in which numbers are written.
    """
    found = stored(session, slug, workspace_id)
    rows = [_row(name, field, found.get(name), locale) for name, field in form.items()]
    missing = [row.name for row in rows if row.field.required and not row.is_stored and not row.text]
    return EnteredForm(rows, _version(found), tuple(missing))


def _row(name: str, field: SettingField, stored_row: AddonSettingValue | None, locale: str) -> FormRow:
    if field.secret:
        return FormRow(name, field, is_stored=stored_row is not None and bool(stored_row.secret))
    value = entered_value(field, stored_row)
    if field.is_switch:
        return FormRow(name, field, written(field.fallback if value is None else value))
    usual = written(field.default, locale)
    if field.type is SettingType.CHOICE:
        usual = next((_(one.label) for one in field.choices if one.value == field.default), "")
    return FormRow(name, field, written(value, locale), usual)


def check(before: EnteredForm, given: FilledForm, locale: str) -> EnteredForm:
    """Return the form as it was sent, with its values, or with an error beside each refused field.

    :param before: the form as stored.
    """
    rows, values = [], dict[str, Plain | Secret | None]()
    for row in before.rows:
        field, text = row.field, given.texts.get(row.name, "").strip()
        now = FormRow(row.name, field, "" if field.secret else text, row.usual, row.is_stored)
        rows.append(now)
        if field.secret and not text and row.is_stored:
            if row.name in given.removed and not field.required:
                values[row.name] = None
            continue
        try:
            value = read_entered(field, text, locale)
        except RefusedValueError as error:
            now.error = str(error)
            continue
        values[row.name] = Secret(str(value)) if field.secret and value is not None else value
    return EnteredForm(rows, before.version, before.missing, values)


def save(
    work: DeskWork,
    slug: str,
    workspace_id: int,
    form: Form,
    values: Mapping[str, Plain | Secret | None],
    *,
    version: int | None = None,
) -> list[str]:
    """Store *values*, checked by :func:`check`; return the names of those that changed.

    :param version: of the form they were entered in; None: do not compare.
    :raises SavedMeanwhileError: if someone else saved it after *version*.
    """
    session = work.session
    counters.lock(session, counters.ADDON_SETTINGS)
    rows = stored(session, slug, workspace_id)
    latest = _version(rows)
    if version is not None and version != latest:
        raise SavedMeanwhileError()
    changed = [
        name
        for name, value in values.items()
        if name in form and not _is_same(form[name], rows.get(name), value)
    ]
    for name in changed:
        row = rows.get(name)
        if row is None:
            row = AddonSettingValue(uuid=uuid.uuid4().hex, slug=slug, workspace_id=workspace_id, name=name)
            session.add(row)
        value = values[name]
        row.value = row.secret = None
        if isinstance(value, Secret):
            row.secret = secrets.keyring().seal(value, place(row))
        elif value is not None:
            row.value = json.dumps(value, ensure_ascii=False)
        row.version, row.updated_at = latest + 1, work.now
    session.flush()
    if changed:
        counters.bump(session, counters.ADDON_SETTINGS)
        details = {"settings": ", ".join(changed)}
        work.audit("addon.settings_changed", slug, workspace_id=workspace_id or None, details=details)
    return changed


def _is_same(field: SettingField, row: AddonSettingValue | None, value: Plain | Secret | None) -> bool:
    if isinstance(value, Secret):
        return False  # entered again: they want it stored, even if it is the same
    if field.secret:
        return row is None or row.secret is None
    before = entered_value(field, row)
    if before is None and field.is_switch:
        before = field.fallback
    return type(before) is type(value) and before == value


def _version(rows: Mapping[str, AddonSettingValue]) -> int:
    return max((row.version for row in rows.values()), default=0)


def delete_of(session: Session, slug: str) -> None:
    """Delete all values of an addon."""
    session.execute(sa.delete(AddonSettingValue).where(AddonSettingValue.slug == slug))
    counters.bump(session, counters.ADDON_SETTINGS)


def described(form: Form) -> list[str]:
    """Return a line per field for the report on an addon, such as ``api_key: secret, required``."""
    return [f"{name}: {field.type}{', required' if field.required else ''}" for name, field in form.items()]


# What is missing


def missing_on_server(session: Session) -> Iterator[Manifest]:
    """Yield the active addons, by slug, of which an admin has not filled in every required setting."""
    for manifest in _active(session):
        required = {name: field for name, field in manifest.forms.desk.items() if field.required}
        rows = stored(session, manifest.slug, DESK) if required else {}
        if not all(_is_set(field, rows.get(name)) for name, field in required.items()):
            yield manifest


def missing_in_workspaces(session: Session) -> Iterator[tuple[Manifest, int]]:
    """Yield the active addons, by slug, of which required settings are missing in workspaces.

    Each comes with the number of these workspaces, without archived ones.
    """
    for manifest in _active(session):
        if number := _missing_in(session, manifest):
            yield manifest, number


def names(session: Session) -> dict[str, str]:
    """Return the names of active addons by slug."""
    return {manifest.slug: manifest.name for manifest in _active(session)}


def _active(session: Session) -> Iterator[Manifest]:
    query = (
        sa.select(AddonRelease.manifest)
        .join(Addon, Addon.release_id == AddonRelease.id)
        .where(Addon.state == AddonState.ACTIVE)
        .order_by(Addon.slug)
    )
    for raw in session.scalars(query).all():
        try:
            yield from_dict(raw)
        except ManifestError:
            continue  # the page of addons says so


def _missing_in(session: Session, manifest: Manifest) -> int:
    required = {name: field for name, field in manifest.forms.workspace.items() if field.required}
    if not required:
        return 0
    secret = [name for name, field in required.items() if field.secret]
    filled = (
        sa.select(AddonSettingValue.workspace_id)
        .where(
            AddonSettingValue.slug == manifest.slug,
            AddonSettingValue.name.in_(required),
            sa.case(
                (AddonSettingValue.name.in_(secret), AddonSettingValue.secret.is_not(None)),
                else_=AddonSettingValue.value.is_not(None),
            ),
        )
        .group_by(AddonSettingValue.workspace_id)
        .having(sa.func.count() == len(required))
    )
    query = sa.select(sa.func.count()).where(Workspace.archived_at.is_(None), Workspace.id.not_in(filled))
    return session.scalar(query) or 0


def _is_set(field: SettingField, row: AddonSettingValue | None) -> bool:
    if field.secret:
        return row is not None and row.secret is not None
    return entered_value(field, row) is not None
