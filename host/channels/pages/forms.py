"""The form of a settings card: validate its fields before asking the provider."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from flask import request

from host.channels import refusals
from host.core import clock, secrets
from host.core.logs import redact
from host.core.secrets import Place, Secret
from host.sdk.cards import Field
from host.sdk.errors import SecretUnreadableError
from host.users.pages import sudo
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_OF_LINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

KEPT = "kept-"
"""Begins the names of the hidden inputs with sealed secrets; no field of a card begins so."""
KEPT_FOR = timedelta(hours=1)

_LOOKS_SECRET = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[A-Za-z0-9_+/=|-]{20,}")


@dataclass(slots=True)
class Entered:
    """One filled form.

    :ivar shown: the values to show in the inputs again; never a secret.
    :ivar clean: the values for the addon; a secret left empty while editing is absent.
    :ivar errors: sentences by field name, ``""`` for the form as a whole.
    :ivar kept: sealed secrets by field name, for a hidden input, so that they needn't be entered again.
    """

    shown: dict[str, str] = field(default_factory=dict)
    clean: dict[str, str] = field(default_factory=dict, repr=False)
    errors: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict, repr=False)


class KeptSecrets:
    """The secrets of a form that was refused, sealed for the person, workspace and channel that sent it.

    They are held by the page alone, for an hour.
    """

    def __init__(self, workspace_id: int, channel: str, user_id: int) -> None:
        self._workspace_id = workspace_id
        self._row = f"{channel} {user_id}"

    def keep(self, entered: Entered, fields: tuple[Field, ...], *, optional: bool = False) -> None:
        """Seal each valid required secret of *entered* into ``kept``; an empty optional one means none.

        :param optional: whether to keep optional ones, too, because the form is likely sent again as it is.
        """
        until = int((clock.now() + KEPT_FOR).timestamp())
        for one in fields:
            value = entered.clean.get(one.name, "")
            if one.secret and (one.required or optional) and value:
                sealed = secrets.keyring().seal(Secret(f"{until} {value}"), self._place(one))
                entered.kept[one.name] = sealed

    def filled_in(self, fields: tuple[Field, ...], given: Mapping[str, str]) -> dict[str, str]:
        """Return *given* with the kept secrets in the inputs that were left empty."""
        values = dict(given.items())
        for one in fields:
            sealed = given.get(f"{KEPT}{one.name}", "")
            if one.secret and sealed and not values.get(one.name, "").strip():
                values[one.name] = self._opened(one, sealed)
        return values

    def _opened(self, one: Field, sealed: str) -> str:
        try:
            until, _space, value = secrets.keyring().open(sealed, self._place(one)).reveal().partition(" ")
        except SecretUnreadableError:
            return ""
        return value if clock.now().timestamp() < int(until) else ""

    def _place(self, one: Field) -> Place:
        return Place("connect_form", one.name, self._workspace_id, self._row)


def typed(fields: tuple[Field, ...]) -> dict[str, str]:
    """Return the form of this request, with the secrets typed before it asked for the password."""
    return {**request.form.to_dict(), **{name: sudo.secret(name) for name in names_of_secrets(fields)}}


def names_of_secrets(fields: tuple[Field, ...]) -> list[str]:
    """Return the names of the fields for secrets."""
    return [one.name for one in fields if one.secret]


def blank(fields: tuple[Field, ...], values: Mapping[str, str]) -> Entered:
    """Return an unsent form, filled with *values*."""
    known = {one.name for one in fields if not one.secret}
    return Entered(shown={name: value for name, value in values.items() if name in known})


def read_form(fields: tuple[Field, ...], given: Mapping[str, str], *, editing: bool) -> Entered:
    """Validate the submitted values of *fields*; other values are ignored."""
    entered = Entered()
    for one in fields:
        text = given.get(one.name, "").strip()
        if one.kind == "checkbox":
            text = "1" if text else ""
        if one.kind == "lines":
            text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
        error = _read(one, text, entered.clean, editing=editing)
        if error:
            entered.errors[one.name] = error
        if not one.secret:
            entered.shown[one.name] = "" if _misplaced(text, error) else _controls(one).sub("", text)
    return entered


def _controls(one: Field) -> re.Pattern[str]:
    return _OF_LINES if one.kind == "lines" else _CONTROL


def _misplaced(text: str, error: str) -> bool:
    """Return whether *text* may be a credential pasted into the wrong field, which is not shown again."""
    return redact(text) != text or bool(error and _LOOKS_SECRET.fullmatch(text))


def _read(one: Field, text: str, clean: dict[str, str], *, editing: bool) -> str:
    """Put the value of *one* into *clean*; return a sentence if it is invalid, else an empty string."""
    if not text and one.secret and editing:
        return ""
    if _controls(one).search(text):
        return str(_("This contains invalid characters. Enter it manually, or copy it again."))
    if len(text) > one.max_length:
        return str(_("Too long: use at most %(most)d characters.", most=one.max_length))
    if one.kind == "select" and not text and not one.required and one.choices:
        text = one.choices[0][0]
    if one.kind == "select" and text not in {value for value, _label in one.choices}:
        return str(_("Choose an option from the list."))
    if not text and one.required and one.kind != "checkbox":
        return str(_("This field is required."))
    if one.clean is not None and (text or not one.secret):
        try:
            text = one.clean(text) if text or one.required else text
        except ValueError as error:
            return str(error) or str(_("This value is invalid."))
        except Exception as error:
            log.exception("checking the field %s failed", one.name)
            blame = _("This could not be checked because the addon of this channel failed.")
            return refusals.sentence(error, str(blame))
    clean[one.name] = text
    return ""


def add_problems(entered: Entered, problems: Mapping[str, str], fields: tuple[Field, ...]) -> None:
    """Add the addon's problems to the errors; those without a field go to the whole form."""
    known = {one.name for one in fields}
    for name, sentence in problems.items():
        where = name if name in known else ""
        before = entered.errors.get(where)
        entered.errors[where] = f"{before} {sentence}" if before else str(sentence)
    if not entered.errors:
        entered.errors[""] = str(_("The account could not be connected. The addon gave no reason."))
