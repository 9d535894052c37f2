"""Every route that changes something asks people to confirm that it is them, or is known not to.

The routes that ask stand in the one table of :mod:`host.users.confirming`, the others here.
"""

from __future__ import annotations

import ast
import inspect
import sys
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from flask import Flask

from host.core import clock
from host.models.users import Role
from host.users import confirming
from host.users.pages import sudo
from host.users.roles import Permission
from tests.helpers import client_for, make_user, make_workspace
from tests.users.test_permissions import NOT_THERE, routes

NOT_ASKED = {
    "accounts.choose_password",
    "accounts.confirm",
    "accounts.confirm_with_code",
    "accounts.confirm_with_passkey",
    "accounts.desk_look",
    "accounts.end_other_sessions",
    "accounts.end_session",
    "accounts.forgot",
    "accounts.general",
    "accounts.invite",
    "accounts.join_provider",
    "accounts.login",
    "accounts.logout",
    "accounts.new_workspace",
    "accounts.passkey_login",
    "accounts.passkey_options",
    "accounts.profile",
    "accounts.rename_passkey",
    "accounts.restore",
    "accounts.second",
    "accounts.setup",
    "accounts.test_mail",
    "accounts.theme",
    "accounts.withdraw_invitation",
    "addons.discard",
    "addons.retry_parked",
    "addons.skip_parked",
    "addons.stop",
    "api_keys.revoke",
    "assistant_cases.add",
    "assistant_cases.change",
    "assistant_cases.delete",
    "assistant_cases.try_due",
    "assistant_knowledge.add",
    "assistant_knowledge.change",
    "assistant_knowledge.check",
    "assistant_knowledge.delete",
    "assistant_learning.accept",
    "assistant_learning.bring_back",
    "assistant_learning.dismiss",
    "assistant_tools.built_in",
    "assistant_tools.delete",
    "assistant_tools.try_it",
    "assistants.add",
    "assistants.ask",
    "assistants.choose_model",
    "assistants.delete",
    "assistants.give",
    "assistants.judge",
    "assistants.rename",
    "assistants.resume",
    "assistants.save_handoff",
    "assistants.save_limits",
    "assistants.save_prompt",
    "assistants.set_mode",
    "assistants.stop",
    "channels.act",
    "channels.ask",
    "channels.automation",
    "channels.catch_up",
    "channels.check_now",
    "channels.diagnose",
    "channels.ice_breakers",
    "channels.menu",
    "channels.messages",
    "delivery.replay_event",
    "delivery.replay_events",
    "contacts.add_attribute",
    "contacts.change_attribute",
    "contacts.delete_attribute",
    "contacts.export_contact",
    "contacts.export_contacts",
    "start.ask",
    "start.hide",
    "start.hours",
    "start.skip",
    "integrations.delete",
    "integrations.replay",
    "integrations.state",
    "integrations.test",
    "labels.add",
    "labels.change",
    "labels.delete",
    "media.choose_logo",
    "media.choose_portrait",
    "media.choose_workspace_picture",
    "models.delete",
    "models.try_it",
    "notifications.read",
    "notifications.read_one",
    "notifications.save",
    "notifications.save_quiet",
    "notifications.test",
    "push.add",
    "push.content",
    "push.end",
    "push.here",
    "push.key",
    "push.moved",
    "push.test",
    "rules.add",
    "rules.change",
    "rules.delete",
    "rules.move",
    "rules.put_in_state",
    "sequences.add",
    "sequences.add_toml",
    "sequences.change",
    "sequences.delete",
    "sequences.end_run",
    "sequences.move",
    "sequences.move_people",
    "sequences.publish",
    "sequences.restore",
    "sequences.save_step",
    "sequences.save_toml",
    "sequences.turn_off",
    "sharing.not_ready",
    "sign_in.begin",
    "teams.add_team",
    "teams.delete_team",
    "working_hours.save_hours",
    "working_hours.save_team_hours",
}
"""They can be undone, only protect, or are how people sign in and confirm."""

OPENS = {
    "accounts.desk_settings",
    "accounts.set_up_app",
    "accounts.sign_in_settings",
    "accounts.to_provider",
    "addons.desk_form",
    "addons.workspace_form",
    "assistant_tools.new",
    "assistant_tools.tool",
    "channels.edit",
    "channels.workspace_settings",
    "integrations.edit",
    "integrations.new",
    "models.model",
    "models.new",
}
"""Pages that ask when they are opened, for their forms that would ask."""

ASKING = {("sudo", "require"), ("sudo", "verify"), ("sudo", "verify_or_require"), ("asking_first", "ask")}
"""What asks, called by its name in a module."""


def changing(app: Flask) -> set[str]:
    """Return the endpoints of every route of the host that changes something."""
    return {endpoint for endpoint, method, _rule in routes(app) if method != "GET"}


def view_of(app: Flask, endpoint: str) -> Any:
    return inspect.unwrap(app.view_functions[endpoint])


@cache
def asking_functions(module: str) -> frozenset[str]:
    """Return the functions of a module that ask, by a decorator, or by what they call there."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    calls: dict[str, set[str]] = {}
    found: set[str] = set()
    for name, function in functions.items():
        nodes = list(ast.walk(function))
        calls[name] = {one.id for one in nodes if isinstance(one, ast.Name)} & set(functions)
        named = {
            (one.value.id, one.attr)
            for one in nodes
            if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)
        }
        marked = any(ast.unparse(one).endswith("fresh_password") for one in function.decorator_list)
        if marked or named & ASKING:
            found.add(name)
    while more := {name for name, called in calls.items() if called & found} - found:
        found |= more
    return frozenset(found)


def everyday(app: Flask, endpoint: str) -> bool:
    """Return whether everybody who may answer may do it: that asks for nothing unless the table says so."""
    return getattr(app.view_functions[endpoint], "lobby_needs", None) in {Permission.READ, Permission.ANSWER}


def test_every_route_that_changes_something_is_in_one_of_the_lists(desk: Flask) -> None:
    listed, work = set(confirming.TABLE), {one for one in changing(desk) if everyday(desk, one)}
    assert NOT_ASKED & (listed | work) == set()
    assert changing(desk) - listed - NOT_ASKED - work == set(), "does it ask? Then it belongs into the table"
    assert (listed | NOT_ASKED) - changing(desk) == set(), "it is gone"


def test_the_table_is_what_the_code_does(desk: Flask) -> None:
    asks = {
        endpoint
        for endpoint in changing(desk)
        if view_of(desk, endpoint).__name__ in asking_functions(view_of(desk, endpoint).__module__)
    }
    assert asks == set(confirming.TABLE)


def test_a_page_of_a_form_that_asks_does_so_when_it_is_opened(desk: Flask) -> None:
    shown = {endpoint for endpoint, method, _rule in routes(desk) if method == "GET"}
    asks = {
        endpoint
        for endpoint in shown
        if view_of(desk, endpoint).__name__ in asking_functions(view_of(desk, endpoint).__module__)
    }
    when_sent = {
        "accounts.delete_workspace",
        "accounts.new_password",
        "accounts.workspaces",
        "channels.files",
        "channels.new",
    }
    assert asks - when_sent == OPENS


@pytest.mark.parametrize("role", [Role.OWNER, "admin"])
def test_a_route_that_always_asks_does_nothing_before_it_is_confirmed(desk: Flask, role: str) -> None:
    workspace = make_workspace()
    person = make_user(workspace=workspace, role=Role.OWNER, is_admin=role == "admin")
    client = client_for(desk, person)
    wrong = []
    with clock.travel(sudo.FRESH + timedelta(seconds=1)):
        for endpoint, method, rule in routes(desk):
            if method == "GET" or confirming.TABLE.get(endpoint) not in {None, confirming.ALWAYS}:
                continue
            if endpoint == "accounts.logout":
                continue
            path = rule.replace("<int:workspace_id>", str(workspace))
            for part in path.split("/"):
                if part.startswith("<"):
                    path = path.replace(part, str(NOT_THERE) if part.startswith("<int:") else "nothing")
            headers = {"Accept": "application/json", "X-CSRFToken": client.csrf()}
            answer = client.open(path, method=method, headers=headers)
            code = (answer.get_json(silent=True) or {}).get("error", {}).get("code")
            may = role == "admin" or not rule.startswith("/admin/")
            wanted = endpoint in confirming.TABLE and may
            if (code == "password_needed") is not wanted:
                wrong.append(f"{method} {path}: {code or answer.status_code}")
    assert wrong == []
