"""What an addon adds to the API: with the desk's keys, limits, errors and repeats, and in the document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from host.addons import lifecycle
from host.channels import timeouts
from host.core import clock, db
from host.models.users import User
from host.process.serving import HostApplication
from host.users import api_keys, workspaces
from host.users.api_keys import Scope
from tests.addons.conftest import Admin, MakeZip
from tests.helpers import do

GREETING = "/api/v1/addons/toy/greeting"
GREETINGS = "/api/v1/addons/toy/greetings"
GREET = '    """Greet somebody by name."""\n'


class Called:
    """A desk with the toy, and a key that may read and change contacts."""

    def __init__(self, desk: HostApplication) -> None:
        self.desk, self.client = desk, Client(desk)
        with db.read() as session:
            self.mia = session.scalars(sa.select(User.id)).one()
        self.workspace = db.write(workspaces.create, "Sample Pottery", self.mia).id
        self.token = self.key(Scope.CONTACTS_READ, Scope.CONTACTS_WRITE)

    def key(self, *scopes: Scope) -> str:
        name = f"Program {clock.now().timestamp()}"
        return do(api_keys.create, self.workspace, name, scopes, actor=self.mia)

    def ask(self, method: str, path: str, *, token: str = "", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token or self.token}", **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)


Calling = Callable[..., Called]


@pytest.fixture
def calling(desk: HostApplication, toy_zip: MakeZip) -> Iterator[Calling]:
    """Start a desk with the toy, whose greeting begins with the lines given."""

    def make(lines: str = "") -> Called:
        Admin(desk)
        changes = {"toy/api.py": lambda text: text.replace(GREET, GREET + lines)} if lines else {}
        lifecycle.install_file(desk.config, toy_zip(changes))
        outcome = lifecycle.activate(desk.config, "toy", host=desk)
        assert outcome.ok, outcome.error
        desk.start()
        return Called(desk)

    yield make
    timeouts._hung.clear()


def test_a_route_answers_like_the_api(calling: Calling) -> None:
    one = calling()
    answer = one.ask("GET", f"{GREETING}?firstName=Ana")
    assert answer.status_code == 200, answer.json
    assert answer.json["text"] == "Hello Ana!"
    assert answer.json["byKey"].startswith("Program")
    assert "RateLimit-Remaining" in answer.headers
    same = one.ask("GET", f"{GREETING}?firstName=Ana", headers={"If-None-Match": answer.headers["ETag"]})
    assert same.status_code == 304
    repeat = {"headers": {"Idempotency-Key": "k1"}, "json": {"firstName": "Ana"}}
    assert one.ask("POST", GREETINGS, **repeat).json["text"] == "Hello Ana!"
    repeat = {"headers": {"Idempotency-Key": "k1"}, "json": {"firstName": "Ana"}}
    assert one.ask("POST", GREETINGS, **repeat).headers["Idempotent-Replayed"] == "true"


def test_it_needs_the_scope_and_a_key_for_all_accounts(calling: Calling) -> None:
    one = calling()
    assert one.client.get(GREETING).status_code == 401
    reads = one.key(Scope.CONTACTS_READ)
    assert one.ask("POST", GREETINGS, token=reads, json={"firstName": "Ana"}).status_code == 403
    assert one.ask("GET", f"{GREETING}?firstName=Ana", token=one.key(Scope.REPORTS_READ)).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "field"),
    [
        ("GET", GREETING, None, 400, "invalid_query", "firstName"),
        ("GET", f"{GREETING}?firstName=a&more=b", None, 400, "invalid_query", "more"),
        ("GET", f"{GREETING}?firstName=", None, 422, "addon_refused", "firstName"),
        ("POST", GREETINGS, {"firstName": 7}, 400, "invalid_body", "firstName"),
        ("POST", GREETINGS, {"firstName": "Ana", "x": 1}, 400, "invalid_body", "x"),
        ("POST", GREETINGS, [], 400, "invalid_body", None),
        ("GET", "/api/v1/addons/toy/nothing", None, 404, "not_found", None),
    ],
)
def test_a_wrong_request_is_told_its_field(
    calling: Calling, method: str, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    answer = calling().ask(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == status, answer.json
    error = answer.json["error"]
    assert (error["code"], error.get("field")) == (code, field), error


@pytest.mark.parametrize("line", ["raise RuntimeError('secret detail')", "return None", "return 'x'"])
def test_a_route_that_fails_says_so_and_keeps_its_secrets(calling: Calling, line: str) -> None:
    answer = calling(f"    {line}\n").ask("GET", f"{GREETING}?firstName=Ana")
    assert (answer.status_code, answer.json["error"]["code"]) == (502, "addon_failed")
    assert "secret detail" not in answer.text


def test_the_document_has_the_routes_while_the_addon_is_active(calling: Calling) -> None:
    one = calling()
    found = one.client.get("/api/v1/openapi.json").json
    operation = found["paths"]["/addons/toy/greeting"]["get"]
    assert operation["operationId"] == "toyGetGreeting"
    assert operation["security"] == [{"key": ["contacts:read"]}]
    assert found["components"]["schemas"]["ToyGreeting"]["required"] == ["text", "byKey"]
    lifecycle.deactivate(one.desk.config, "toy", host=one.desk)
    assert "/addons/toy/greeting" not in one.client.get("/api/v1/openapi.json").json["paths"]
    assert one.ask("GET", f"{GREETING}?firstName=Ana").status_code == 404


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ApiScope.CONTACTS_WRITE", "ApiScope.CONTACTS_READ", "needs a scope to read for GET"),
        ('path="greetings"', 'path="../keys"', "is not usable"),
        ('name="create_greeting"', 'name="get_greeting"', "two have the same name"),
        ("body=Name", "body=dict", "that is no ApiStruct"),
    ],
)
def test_a_wrong_route_is_refused_with_a_reason(
    desk: HostApplication, toy_zip: MakeZip, old: str, new: str, said: str
) -> None:
    lifecycle.install_file(desk.config, toy_zip({"toy/api.py": lambda text: text.replace(old, new)}))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert not outcome.ok
    assert said in str(outcome.error)
