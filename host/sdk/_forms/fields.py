"""The fields of a settings form that an addon declares in its manifest, and how their values are checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec
from babel.numbers import NumberFormatError, format_decimal, parse_decimal
from flask_babel import gettext as _

Plain = str | int | float | bool
"""A value that is stored in clear."""

MOST_FIELDS = 40
MAX_TEXT = 2000
MAX_SECRET = 4000
MAX_EMAIL = 254
MAX_LABEL = 80
MAX_HELP = 500
MOST_CHOICES = 100
MOST = 10**12
"""Largest amount of a number, so that a float holds it exactly."""
DECIMALS = 6

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


class SettingType(StrEnum):
    """The kind of value that a field takes."""

    TEXT = "text"
    URL = "url"
    EMAIL = "email"
    NUMBER = "number"
    SECONDS = "seconds"
    SWITCH = "switch"
    CHOICE = "choice"
    SECRET = "secret"  # noqa: S105 - the name of a type


NUMBERS = frozenset({SettingType.NUMBER, SettingType.SECONDS})


class Choice(msgspec.Struct, frozen=True):
    """An option of a choice: the stored value, and its label on the page."""

    value: str
    label: str


class SettingField(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field of a settings form.

    :param label: in English; the addon's catalogue translates it, as *help* and the labels of *choices*.
    :param required: whether the addon cannot work without it. Fields with a default, and switches, never are.
    :param default: its value while none is entered. Switches always have one.
    :param min: smallest value of a number; *max*: largest.
    """

    type: SettingType
    label: str
    help: str = ""
    required: bool = False
    default: Plain | None = None
    choices: tuple[Choice, ...] = ()
    min: int | float | None = None
    max: int | float | None = None

    @property
    def secret(self) -> bool:
        """Whether its value is sealed and never shown."""
        return self.type is SettingType.SECRET

    @property
    def is_switch(self) -> bool:
        return self.type is SettingType.SWITCH

    @property
    def fallback(self) -> Plain | None:
        """Return its value while none is entered; None if it then has none."""
        return bool(self.default) if self.is_switch else self.default


Form = Mapping[str, SettingField]
"""The fields of a form by name, in the order of the manifest."""


def is_form(table: object) -> bool:
    """Return whether a ``[settings.workspace]`` or ``[settings.desk]`` declares a form.

    In a setting of the environment that is called so, no value is a table.
    """
    return isinstance(table, dict) and any(isinstance(value, dict) for value in table.values())


def read_declared(place: str, table: Mapping[str, Any]) -> tuple[dict[str, SettingField], list[str]]:
    """Return the fields that ``[settings.<place>.<name>]`` declare, and a sentence per mistake."""
    fields: dict[str, SettingField] = {}
    problems: list[str] = []
    if len(table) > MOST_FIELDS:
        problems.append(f"settings.{place} has more than {MOST_FIELDS} settings")
    for name, raw in table.items():
        where = f"settings.{place}.{name}"
        if not _NAME.fullmatch(name):
            problems.append(f"{where} must be named with lower-case letters, digits and underscores")
        elif not isinstance(raw, dict):
            problems.append(f"{where} must be a table with type and label")
        else:
            field, found = _declared(where, raw)
            problems += found
            if field is not None:
                fields[name] = field
    return fields, problems


def _declared(where: str, raw: Mapping[str, Any]) -> tuple[SettingField | None, list[str]]:
    problems = _wrong_keys(where, raw)
    given = raw.get("type")
    if not isinstance(given, str) or given not in set(SettingType):
        return None, [*problems, f"{where}.type must be one of {', '.join(SettingType)}"]
    type_ = SettingType(given)
    choices, found = _declared_choices(where, type_, raw.get("choices"))
    problems += found
    for key in ("min", "max"):
        if key in raw and type_ not in NUMBERS:
            problems.append(f"{where}.{key} is only for number and seconds")
        elif key in raw and not _is_number(raw[key]):
            problems.append(f"{where}.{key} must be a number")
    if problems:
        return None, problems
    field = SettingField(
        type_,
        raw["label"],
        raw.get("help", ""),
        raw.get("required", False),
        choices=choices,
        min=raw.get("min"),
        max=raw.get("max"),
    )
    default = raw.get("default")
    return msgspec.structs.replace(field, default=default), _contradictions(where, field, default)


def _wrong_keys(where: str, raw: Mapping[str, Any]) -> list[str]:
    unknown = sorted(set(raw) - set(SettingField.__struct_fields__))
    problems = [f"{where} has an unknown key {key!r}" for key in unknown]
    if not _is_line(raw.get("label"), MAX_LABEL):
        problems.append(f"{where}.label must be 1 to {MAX_LABEL} characters")
    help_ = raw.get("help", "")
    if not isinstance(help_, str) or len(help_) > MAX_HELP:
        problems.append(f"{where}.help must be text of at most {MAX_HELP} characters")
    if not isinstance(raw.get("required", False), bool):
        problems.append(f"{where}.required must be true or false")
    return problems


def _contradictions(where: str, field: SettingField, default: object) -> list[str]:
    problems = []
    if field.min is not None and field.max is not None and field.min > field.max:
        problems.append(f"{where}.min is larger than max")
    if field.required and (field.is_switch or default is not None):
        reason = "a switch" if field.is_switch else "a setting with a default"
        problems.append(f"{where} cannot be required: {reason} always has a value")
    if default is not None and field.secret:
        problems.append(f"{where} is a secret and cannot have a default")
    elif default is not None and not is_value(field, default):
        problems.append(f"{where}.default must be {_DESCRIPTIONS[field.type]}{_limits(field)}")
    return problems


def _declared_choices(where: str, type_: SettingType, raw: object) -> tuple[tuple[Choice, ...], list[str]]:
    if type_ is not SettingType.CHOICE:
        return (), [] if raw is None else [f"{where}.choices is only for choice"]
    shape = f"{where}.choices must be a list of {{ value = ..., label = ... }}"
    if not isinstance(raw, list | tuple) or not 0 < len(raw) <= MOST_CHOICES:
        return (), [f"{shape}, 1 to {MOST_CHOICES} of them"]
    found = []
    for one in raw:
        if not isinstance(one, dict) or set(one) != {"value", "label"}:
            return (), [shape]
        value, label = one["value"], one["label"]
        if not _is_line(value, MAX_LABEL) or not _is_line(label, MAX_LABEL):
            return (), [f"{where}.choices: each value and label must be 1 to {MAX_LABEL} characters"]
        found.append(Choice(value, label))
    if len({one.value for one in found}) < len(found):
        return (), [f"{where}.choices has a value twice"]
    return tuple(found), []


def _is_line(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= most and value.isprintable()


def _is_number(value: object) -> bool:
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    return fine and math.isfinite(value) and abs(value) <= MOST  # type: ignore[arg-type]


_DESCRIPTIONS = {
    SettingType.TEXT: f"text of at most {MAX_TEXT} characters",
    SettingType.URL: "an address that begins with https:// or http://",
    SettingType.EMAIL: "an email address",
    SettingType.NUMBER: "a number",
    SettingType.SECONDS: "a number of seconds, 0 or more",
    SettingType.SWITCH: "true or false",
    SettingType.CHOICE: "the value of one of its choices",
}


def _limits(field: SettingField) -> str:
    low = "" if field.min is None else f", at least {field.min}"
    return low if field.max is None else f"{low}, at most {field.max}"


# Values


def is_value(field: SettingField, value: object) -> bool:
    """Return whether *value* is one of *field*, which is no secret: in its type, and within its limits."""
    if field.type is SettingType.SWITCH:
        return isinstance(value, bool)
    if field.type in NUMBERS:
        return _is_number(value) and _beyond(field, value) == 0  # type: ignore[arg-type]
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT or _CONTROL.search(value):
        return False
    if field.type is SettingType.URL:
        return _is_url(value)
    if field.type is SettingType.EMAIL:
        return len(value) <= MAX_EMAIL and _EMAIL.fullmatch(value) is not None
    return field.type is not SettingType.CHOICE or value in {one.value for one in field.choices}


def _beyond(field: SettingField, value: float) -> int:
    """Return -1 if *value* is too small, 1 if it is too large, otherwise 0."""
    low, high = lowest(field), field.max
    if low is not None and value < low:
        return -1
    return 1 if high is not None and value > high else 0


def lowest(field: SettingField) -> int | float | None:
    """Return the smallest value of a number."""
    if field.type is SettingType.SECONDS:
        return max(field.min or 0, 0)
    return field.min


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and not re.search(r"\s", value)
            and parts.port != 0
        )
    except ValueError:
        return False


class RefusedValueError(Exception):
    """The text is no value of the field. The message says what to enter instead, translated."""


def read_entered(field: SettingField, text: str, locale: str = "en") -> Plain | None:
    """Return the value that a person entered as *text*; None for none.

    :param text: stripped; of a switch ``1`` or empty.
    :param locale: in which they write numbers.
    :raises RefusedValueError: if *text* is no value of *field*, or is empty although required.
    """
    if field.is_switch:
        return bool(text)
    if not text:
        if field.required:
            raise RefusedValueError(_("This field is required."))
        return None
    most = MAX_SECRET if field.secret else MAX_EMAIL if field.type is SettingType.EMAIL else MAX_TEXT
    if _CONTROL.search(text):
        raise RefusedValueError(_("This contains invalid characters. Enter it manually, or copy it again."))
    if len(text) > most:
        raise RefusedValueError(_("Too long: use at most %(most)d characters.", most=most))
    if field.type in NUMBERS:
        return _entered_number(field, text, locale)
    if not field.secret and not is_value(field, text):
        raise RefusedValueError(_advice(field, text))
    return text


def _advice(field: SettingField, text: str) -> str:
    if field.type is SettingType.CHOICE:
        return str(_("Choose an option from the list."))
    if field.type is SettingType.EMAIL:
        return str(_("Enter an email address, such as name@example.com."))
    if "@" in text:
        return str(_("Enter the address without a user name or password."))
    return str(_("Enter an address that begins with https:// or http://."))


def _entered_number(field: SettingField, text: str, locale: str) -> int | float:
    try:
        if "e" in text.lower():
            raise ValueError("an exponent, which can overflow")
        found = parse_decimal(text, locale=locale, strict=True)
    except (NumberFormatError, ValueError):
        example = written(2.5, locale)
        raise RefusedValueError(_("Enter a number, such as %(example)s.", example=example)) from None
    if not found.is_finite() or abs(found) > MOST:
        raise RefusedValueError(_("Enter a number of at most %(most)s.", most=written(MOST, locale)))
    value = int(found) if found == found.to_integral_value() else round(float(found), DECIMALS)
    if _beyond(field, value) < 0:
        low = written(lowest(field) or 0, locale)
        raise RefusedValueError(_("Enter a number of at least %(least)s.", least=low))
    if _beyond(field, value) > 0:
        raise RefusedValueError(
            _("Enter a number of at most %(most)s.", most=written(field.max or 0, locale))
        )
    return value


def written(value: Plain | None, locale: str = "en") -> str:
    """Return *value* as an input shows it, so that :func:`read_entered` reads it again."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int | float):
        return str(format_decimal(value, "0." + "#" * DECIMALS, locale=locale))
    return value
