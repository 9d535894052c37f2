"""Sections of addons on the Reports page: shown, limited to what the reader may see, and when one fails."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import lifecycle
from host.channels import timeouts
from host.core import clock, db
from host.core.clock import Days
from host.inbox.panels import report_sections
from host.inbox.panels.calling import PanelFailedError, WrongReturnError
from host.models.channels import ChannelAccount
from host.models.users import Role
from host.process.serving import HostApplication
from host.sdk.reports import Counts, Number, ReportSection
from tests.addons.conftest import Admin, MakeZip
from tests.addons.test_panels import Opened
from tests.helpers import Browser, client_for, make_user

READ = '    """Count the conversations that began, and those that are open."""\n'
GOES_ON = threading.Event()

Open = Callable[..., "Reports"]


class Reports(Opened):
    """A desk with the toy, one conversation, and its owner at the Reports page."""

    def __init__(self, desk: HostApplication, admin: Admin) -> None:
        super().__init__(desk, admin)
        self.page = f"/w/{self.workspace}/reports"

    def section(self, query: str = "", name: str = "toy.numbers") -> Any:
        answer = self.admin.client.get(
            f"{self.page}/sections/{name}{query}", headers={"Accept": "application/json"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json | {"html": " ".join(html.unescape(answer.json["html"]).split())}

    def member(self, email: str, role: Role) -> Browser:
        return client_for(self.desk.generation().app, make_user(email, workspace=self.workspace, role=role))


@pytest.fixture
def opened(desk: HostApplication, toy_zip: MakeZip) -> Iterator[Open]:
    """Open a desk with the toy, whose section runs *code* first."""

    def make(code: str = "") -> Reports:
        admin = Admin(desk)
        changes = {"toy/reports.py": lambda text: _replaced(text, READ, f"{READ}    {code}\n")}
        lifecycle.install_file(desk.config, toy_zip(changes if code else {}))
        outcome = lifecycle.activate(desk.config, "toy", host=desk)
        assert outcome.ok, outcome.error
        desk.start()
        return Reports(desk, admin)

    yield make
    timeouts._hung.clear()


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def test_a_section_is_loaded_after_the_page_for_the_chosen_days(opened: Open) -> None:
    one = opened()
    page = one.admin.get(f"{one.page}?from=2026-01-01&to=2026-01-31").text
    address = f"{one.page}/sections/toy.numbers?from=2026-01-01&amp;to=2026-01-31"
    assert f'data-addon-panel="{address}"' in page
    assert "Numbers of the toy" in page
    assert "By status" not in page, "it would hold up the page"
    shown = one.section()
    assert shown["failed"] is False
    assert '<h3>Conversations</h3><span class="big">1</span>' in shown["html"]
    assert "from 0" in shown["html"]
    assert '<h3>Still open</h3><span class="big">100 %</span>' in shown["html"]
    assert "<b>1</b><small>100 %</small>" in shown["html"]
    assert "Nothing to show for this period." in one.section("?from=2020-01-01&to=2020-01-02")["html"]
    assert "don’t filter this section" not in shown["html"]


def test_accounts_filter_a_section_and_labels_do_not(opened: Open) -> None:
    one = opened()
    with db.read() as session:
        account = session.scalars(sa.select(ChannelAccount.id)).one()
    assert "<b>1</b>" in one.section(f"?account={account}")["html"]
    unlabelled = one.section("?label=none")["html"]
    assert "<b>1</b>" in unlabelled
    assert "Person, team and label don’t filter this section." in unlabelled
    answer = one.admin.client.get(
        f"{one.page}/sections/toy.numbers?account=999", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(("chosen", "seen", "counted"), [
    (None, None, None),
    ([1, 2], None, {1, 2}),
    (None, frozenset({2}), {2}),
    ([1, 2], frozenset({2, 3}), {2}),
    ([1], frozenset({2}), set()),
])  # fmt: skip
def test_a_reader_gets_no_accounts_out_of_sight(chosen: Any, seen: Any, counted: Any) -> None:
    today = clock.now().date()
    query = report_sections.query_of(1, Days(today, today), chosen, seen)
    assert query.accounts == counted
    assert query.end - query.start == query.start - query.before


def test_a_reader_limited_to_an_account_sees_its_figures_alone(opened: Open) -> None:
    one = opened()
    limited = one.member("li@example.com", Role.LEAD)
    path = f"{one.page}/sections/toy.numbers"
    assert "Still open" in limited.get(path).text
    _limit(one.workspace, "li@example.com")
    assert "Nothing to show for this period." in limited.get(path).text


def _limit(workspace: int, email: str) -> None:
    """Limit a member to no account at all, in a role that cannot be limited yet."""
    statement = sa.text(
        "UPDATE memberships SET limited = :yes WHERE workspace_id = :workspace"
        " AND user_id = (SELECT id FROM users WHERE email = :email)"
    )
    db.write(
        lambda session: session.execute(statement, {"yes": True, "workspace": workspace, "email": email})
    )


def test_who_may_not_see_reports_sees_no_section(opened: Open) -> None:
    one = opened()
    agent = one.member("an@example.com", Role.AGENT)
    outsider = client_for(one.desk.generation().app, make_user("out@example.com"))
    path = f"{one.page}/sections/toy.numbers"
    for client, status in ((agent, 403), (outsider, 404)):
        assert client.get(path).status_code == client.get(one.page).status_code == status


def test_without_the_addon_there_is_no_section_and_an_open_page_says_so(opened: Open) -> None:
    one = opened()
    lifecycle.deactivate(one.desk.config, "toy", host=one.desk)
    page = one.admin.get(one.page).text
    assert "data-addon-panel=" not in page
    answer = one.admin.client.get(f"{one.page}/sections/toy.numbers", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json["error"]["message"] == "This addon is no longer active.", answer.json


def test_a_section_that_fails_says_so_and_the_page_goes_on(opened: Open) -> None:
    one = opened("raise RuntimeError('secret detail')")
    found = one.section()
    assert found["failed"] is True
    assert "Toy channel could not load this. If it keeps happening, tell an admin." in found["html"]
    assert "data-panel-reload" in found["html"]
    assert "secret detail" not in found["html"]
    assert one.admin.get(one.page).status_code == 200


@pytest.mark.parametrize(
    "returned",
    [
        None,
        "text",
        [1],
        [Number("x", float("nan"))],
        [Number("x", 10**400)],
        [Number("x", "1")],
        [Number("x", True)],
        [Number("x", 1, "1")],
        [Number(None, 1)],
        [Number("x" * 101, 1)],
        [Number("x", 1, unit="euros")],
        [Number("x", 1, better="loud")],
        [Number("x", 1)] * 11,
        [Counts("x", [])] * 7,
        [Counts("x", [("a", 1)] * 51)],
        [Counts("x", None)],
        [Counts("x", [("a", -1)])],
        [Counts("x", [("a", 1.5)])],
        [Counts("x", [("a",)])],
        [Counts("x", [(1, 1)])],
        [Counts(b"x", [])],
    ],
)
def test_what_a_section_must_not_return_is_refused(returned: Any) -> None:
    today = clock.now().date()
    query = report_sections.query_of(1, Days(today, today), None, None)
    with pytest.raises(PanelFailedError) as raised:
        report_sections.read(ReportSection("toy.x", "X", lambda _query: returned), query, "Toy")
    assert isinstance(raised.value.__context__, WrongReturnError)


def test_a_section_shows_texts_and_what_changed(opened: Open) -> None:
    code = (
        "return [Number('<b>A</b>', 3, 5, better=Better.LOWER), Number('B', 0.5, 0.25, Unit.SHARE, "
        "Better.LOWER), Number('C', 4.256, 4.258, Unit.AVERAGE), Number('D', None, 2), "
        "Counts('<i>', [('<u>', 3), ('v', 1)])]"
    )
    shown = opened(code).section()
    assert shown["failed"] is False
    text = shown["html"]
    assert 'class="was good"' in text, "fewer is better"
    assert "from 5" in text
    assert '<span class="big">50 %</span><span class="was bad">' in text
    assert '<span class="big">4.26</span><span class="was">no change</span>' in text
    assert '<h3>D</h3><span class="big muted">–</span></div>' in text
    assert "<b>3</b><small>75 %</small>" in text


def test_a_section_that_hangs_costs_its_time(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.addons.test_report_sections.GOES_ON", threading.Event())
    one = opened("import sys; sys.modules['tests.addons.test_report_sections'].GOES_ON.wait(60)")
    object.__setattr__(one.desk.generation().directory.report_sections["toy.numbers"], "seconds", 0.05)
    try:
        for _ in range(3):
            assert "Toy channel did not answer within 0.05 seconds." in one.section()["html"]
        assert one.admin.get(one.page).status_code == 200
    finally:
        GOES_ON.set()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"toy.numbers"', '"numbers"', "the name 'numbers' must be toy.<word>"),
        ("), read)", "), read, seconds=60)", "'toy.numbers' wants 60"),
        ('noop("Numbers of the toy")', '""', "one has no title"),
        ("), read)]", "), read), ReportSection('toy.numbers', 'T', read)]", "two have the same name"),
    ],
)
def test_a_wrong_registration_is_refused_with_a_reason(
    desk: HostApplication, toy_zip: MakeZip, old: str, new: str, said: str
) -> None:
    lifecycle.install_file(desk.config, toy_zip({"toy/reports.py": lambda text: _replaced(text, old, new)}))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert not outcome.ok
    assert outcome.error is not None
    assert said in str(outcome.error.sentence if hasattr(outcome.error, "sentence") else outcome.error)
