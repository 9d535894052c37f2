"""The form of a settings card: validate its fields before asking the provider."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_babel import gettext as _

from host.core.logs import redact
from host.sdk.cards import Field

log = logging.getLogger(__name__)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_OF_LINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

_LOOKS_SECRET = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[A-Za-z0-9_+/=|-]{20,}")


@dataclass(slots=True)
class Entered:
    """One filled form.

    :ivar shown: the values to show in the inputs again; never a secret.
    :ivar clean: the values for the addon; a secret left empty while editing is absent.
    :ivar errors: sentences by field name, ``""`` for the form as a whole.
    """

    shown: dict[str, str] = field(default_factory=dict)
    clean: dict[str, str] = field(default_factory=dict, repr=False)
    errors: dict[str, str] = field(default_factory=dict)


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
        except Exception:
            log.exception("checking the field %s failed", one.name)
            return str(_("This could not be checked because the addon of this channel failed."))
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
