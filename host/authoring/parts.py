"""Try the parts an addon brings on a trial desk, with made-up customers and settings, and without a network.

``lobby addon check`` writes a test for each part; these functions are what the tests call. They raise what
the addon raises, or an ``AssertionError`` with the rule that is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from host.addons.running.loader import NAMESPACE
from host.authoring.desk import TrialDesk
from host.sdk import http
from host.sdk._forms.fields import Form, SettingField, SettingType
from host.sdk.errors import FetchError
from host.sdk.rules import React, SendText

CUSTOMERS: Mapping[str, str | None] = {"ann": "ann@example.com", "bo": None}
"""The made-up customers and their addresses: one has none."""

_TEXTS = {
    SettingType.URL: "https://sample.example",
    SettingType.EMAIL: "sample@example.com",
    SettingType.SWITCH: "1",
}


def prepare(desk: TrialDesk, patch: pytest.MonkeyPatch) -> None:
    """Have the made-up customers write, and providers be out of reach."""

    def unreachable(*_arguments: object, **_named: object) -> None:
        raise FetchError("a check calls no provider")

    patch.setattr(http.Client, "request", unreachable)
    for contact, email in CUSTOMERS.items():
        desk.receive(contact, "Hello, where is my order?", email=email)


def fill_in_forms(desk: TrialDesk) -> None:
    """Enter a value into every field of the settings forms, and open their pages."""
    forms = desk.manifest.forms
    for form, fill_in in ((forms.workspace, desk.fill_in), (forms.desk, desk.fill_in_desk)):
        if form:
            fill_in(_values(form))
    pages = {
        f"/w/{desk.workspace_id}/settings/addons/{desk.manifest.slug}": forms.workspace,
        f"/admin/addons/{desk.manifest.slug}/server-settings": forms.desk,
    }
    for path, form in pages.items():
        if form:
            status = desk.get(path).status_code
            assert status == 200, f"its page answers {status}"


def _values(form: Form) -> dict[str, str]:
    return {name: _value(field) for name, field in form.items()}


def _value(field: SettingField) -> str:
    if field.choices:
        return str(field.choices[0].value)
    if field.type in {SettingType.NUMBER, SettingType.SECONDS}:
        return str(field.min if field.min is not None else field.max if field.max is not None else 1)
    return _TEXTS.get(field.type, "sample")


def hear(desk: TrialDesk) -> None:
    """Let the addon's listeners hear of the customers' messages."""
    _may_need_provider(desk.work)


def try_condition(desk: TrialDesk, name: str) -> None:
    """Ask a condition for each of its choices."""
    condition = desk.application.generation().directory.conditions[name]
    for contact in CUSTOMERS:
        for value in [value for value, _label in condition.choices] or [""]:
            desk.holds(name, contact, value)


def try_action(desk: TrialDesk, name: str) -> None:
    """Have an action plan what it would do."""
    for contact in CUSTOMERS:
        planned: object = desk.plan(name, contact)
        is_usable = planned is None or isinstance(planned, React | SendText)
        assert is_usable, f"plan returned {type(planned).__name__} instead of React, SendText or None"


def try_tool(desk: TrialDesk, name: str) -> None:
    """Use a tool with arguments that match its parameters."""
    tool = desk.application.generation().directory.tools[name]
    for contact in CUSTOMERS:
        answer: object = _may_need_provider(desk.use, name, contact, _sample(tool.parameters))
        is_text = answer is None or isinstance(answer, str)
        assert is_text, f"use returned {type(answer).__name__} instead of a text"


def try_panel(desk: TrialDesk, name: str) -> None:
    """Show a panel, and press the buttons it has."""
    for contact in CUSTOMERS:
        blocks = _may_need_provider(desk.render, name, contact)
        for block in blocks or ():
            for button in getattr(block, "buttons", ()):
                _may_need_provider(desk.press, name, contact, button.name, button.value)


def try_composer_action(desk: TrialDesk, name: str) -> None:
    """Press a button of the composer."""
    for contact in CUSTOMERS:
        _may_need_provider(desk.compose, name, contact)


def try_report_section(desk: TrialDesk, name: str) -> None:
    """Show a section of the Reports page, of all accounts and of none."""
    for accounts in (None, frozenset[int]()):
        _may_need_provider(desk.report, name, accounts)


def _may_need_provider(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of *call*; None if it needs a provider, or raises an error of the addon's own.

    Those are meant: the desk says that the part failed.
    """
    try:
        return call(*arguments)
    except FetchError:
        return None
    except Exception as error:
        if type(error).__module__.startswith(f"{NAMESPACE}."):
            return None
        raise


def _sample(schema: Any) -> Any:
    """Return a value that matches a simple JSON schema; of an object, what is required."""
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", ())), None))
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            return {name: _sample(known.get(name, {})) for name in schema.get("required", ())}
        case "array":
            return [_sample(schema.get("items", {}))] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return "1".ljust(int(schema.get("minLength", 1)), "1")[: int(schema.get("maxLength", 100))]
