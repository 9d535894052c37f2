"""The Reports page, what it opens, and both as CSV."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.teams import teams
from host.models.inbox import Contact, Conversation
from host.models.users import Role, User
from host.reports import counting
from host.reports.counting import Key, hour_of
from host.reports.pages import drawing, views
from tests.delivery.desk import Desk
from tests.helpers import Browser, StandInGeneration, build_app, client_for, do, make_user, make_workspace
from tests.reports.test_figures import label_talk, span, store


@pytest.fixture
def agent(desk: Desk, data: Path) -> Browser:
    app = build_app(data, generation=StandInGeneration(directory=desk.generation.directory))
    return client_for(app, make_user("mia@example.com", workspace=desk.workspace_id, role=Role.LEAD))


def page(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    text = html.unescape(answer.get_data(as_text=True))
    assert 'style="' not in text, "the policy of the page lets no style attribute in"
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", text))


def at(desk: Desk, query: str = "", *, below: str = "") -> str:
    return f"/w/{desk.workspace_id}/reports{below}{query}"


def table(browser: Browser, path: str) -> list[list[str]]:
    answer = browser.get(path)
    assert answer.status_code == 200
    data = answer.get_data()
    assert data.startswith(b"\xef\xbb\xbf"), "the mark by which spreadsheets know UTF-8"
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def begin(desk: Desk, days: int) -> None:
    """Have the record begin *days* ago."""

    def write(session: Session) -> None:
        sums = counting.new_sums()
        key = Key(desk.workspace_id, hour_of(clock.now() - timedelta(days=days)), desk.account.id, 0)
        sums[key]["received"] += 1
        counting.write_sums(session, sums)

    db.write(write)


def answered(desk: Desk, conversation: int, minutes: int, *, days: int = 1, **more: Any) -> dict[str, Any]:
    start = clock.now() - timedelta(days=days)
    values = {"conversation_id": conversation, "account_id": desk.account.id, **more}
    return span("first", start, start + timedelta(minutes=minutes), **values)


def test_a_desk_where_nothing_was_counted_shows_no_zero(agent: Browser, desk: Desk) -> None:
    text = page(agent, at(desk))
    assert "Nothing counted yet." in text
    for note in ("response", "message", "closed conversation", "reply window ends"):
        assert re.search(
            rf'<span class="big muted">–</span><span class="was">Shown after the first {note}', text
        )
    assert "Shown after the second response" in text
    assert "Charts appear from the second day" in text
    assert '<a href="/w/1/reports" aria-current="page">' in text
    assert '<a href="/w/1/inbox">' in text, "the inbox is another page"
    assert "None in this period" in page(agent, at(desk, "?from=2020-01-01&to=2020-01-02"))


def test_figures_are_links_with_their_change_in_words(agent: Browser, desk: Desk) -> None:
    begin(desk, 70)
    conversation = desk.customer_wrote()
    store(desk.workspace_id, [answered(desk, conversation, 14), answered(desk, conversation, 17, days=30)])
    assert "90th percentile 14 min" not in page(agent, at(desk)), "one dot is no chart"
    store(desk.workspace_id, [answered(desk, conversation, 14, days=2)])
    text = page(agent, at(desk))
    half = '<span class="big">14 min <small>median</small></span>'
    assert f'href="/w/1/reports/first-response"><h2>First response</h2>{half}' in text
    assert "3 min faster" in text
    assert "compared to the 28 days before" in text
    assert "median 14 min, 90th percentile 14 min" in text
    assert text.count("As a table") == 2, "there were no messages to make a table of"
    assert "00:00" in page(agent, at(desk, "?from=2026-01-01&to=2026-01-01")), "one day is shown by hours"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "under 1 s"), (40, "40 s"), (60, "1 min"), (104, "1 min 44 s"), (840, "14 min"), (863, "14 min")],
)
def test_a_time_has_its_two_largest_units(desk: Desk, data: Path, seconds: int, said: str) -> None:
    with build_app(data).test_request_context():
        assert drawing.length(seconds) == said


def test_what_is_chosen_stands_beside_the_filter_and_can_be_left_out(agent: Browser, desk: Desk) -> None:
    begin(desk, 70)
    for below in ("", "/first-response"):
        query = "?hours=business&agent=1&_external=1&_scheme=javascript&_anchor=x"
        text = page(agent, at(desk, query, below=below))
        left = re.search(r'<a class="chip chip-accent" href="([^"]*)" title="Remove: [^"]+"', text)
        assert left
        assert left[1] == f"/w/1/reports{below}?hours=business"
        assert 'title="Remove: ' not in page(agent, at(desk, below=below))


def test_what_lies_before_counting_began_is_told(agent: Browser, desk: Desk) -> None:
    begin(desk, 20)
    text = page(agent, at(desk))
    assert "Counting began on" in text
    assert "faster" not in text
    assert "days before" not in text


def test_a_figure_opens_its_conversations_and_says_what_it_left_out(agent: Browser, desk: Desk) -> None:
    conversation = desk.customer_wrote()
    spans = [answered(desk, conversation, minutes) for minutes in range(1, 53)]
    store(
        desk.workspace_id,
        [
            *spans,
            answered(desk, conversation, 5, ended_by="closed"),
            span("first", clock.now() - timedelta(hours=1), None, account_id=desk.account.id),
            answered(desk, 999, 59),
        ],
    )
    text = page(agent, at(desk, below="/first-response"))
    assert "First response: 53" in text
    assert text.count(f'href="/w/1/inbox/{conversation}"') == 49
    assert "Deleted" in text
    assert "1 closed without a response" in text
    assert "1 still open" in text
    older = re.search(r'href="([^"]*before=[^"]*)"', text)
    assert older
    rest = page(agent, older[1])
    assert rest.count(f'href="/w/1/inbox/{conversation}"') == 3
    assert "Show earlier" not in rest


@pytest.mark.parametrize(
    "figure", ["first-response", "next-responses", "resolution", "conversations", "windows-missed"]
)
def test_every_figure_opens_even_where_nothing_is(agent: Browser, desk: Desk, figure: str) -> None:
    assert "None in this period." in page(agent, at(desk, below=f"/{figure}"))
    assert len(table(agent, at(desk, below=f"/{figure}.csv"))) == 1


def test_a_missed_window_says_how_late_the_answer_was(agent: Browser, desk: Desk) -> None:
    conversation = desk.customer_wrote()
    start = clock.now() - timedelta(days=3)
    until = {"window_until": start + timedelta(days=1)}
    store(
        desk.workspace_id,
        [
            answered(desk, conversation, 26 * 60, days=3, **until),
            answered(desk, conversation, 25 * 60, days=3, ended_by="closed", **until),
            span("next", start, None, account_id=desk.account.id, conversation_id=conversation, **until),
        ],
    )
    text = page(agent, at(desk, below="/windows-missed"))
    assert "Windows missed: 3" in text
    for late in ("2 h 0 min late", "Never", "Not yet"):
        assert late in text
    assert '>3</span><span class="was">too few to tell' in page(agent, at(desk))


def test_resolutions_are_opened_by_class(agent: Browser, desk: Desk) -> None:
    conversation = desk.customer_wrote()
    start = clock.now() - timedelta(days=5)
    spans = [
        span("resolve", start, start + timedelta(seconds=seconds), conversation_id=conversation)
        for seconds in (3600, 3601, 14_400, 86_400, 259_200, 259_201)
    ]
    store(desk.workspace_id, spans)
    counts = [
        int(
            re.findall(
                r"<h1>Resolution: (\d+)", page(agent, at(desk, f"?within={number}", below="/resolution"))
            )[0]
        )
        for number in range(5)
    ]
    assert counts == [1, 2, 1, 1, 1]
    assert len(table(agent, at(desk, "?within=1", below="/resolution.csv"))) == 3


def test_both_are_had_as_csv_and_formulas_are_not_run(agent: Browser, desk: Desk) -> None:
    conversation = desk.customer_wrote()

    def rename(session: Session) -> None:
        contact = session.get_one(Contact, session.get_one(Conversation, conversation).contact_id)
        contact.name = '=HYPERLINK("http://evil")'

    db.write(rename)
    store(desk.workspace_id, [answered(desk, conversation, 14)])
    rows = table(agent, at(desk, below="/first-response.csv"))
    assert rows[1][:2] == [str(conversation), '\'=HYPERLINK("http://evil")']
    assert rows[1][6] == "840"
    series = table(agent, at(desk, below=".csv"))
    assert len(series) == 29
    assert series[0][:3] == ["begins", "received", "sent"]
    assert sum(int(row[6]) for row in series[1:]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "?from=2026-02-02&to=2026-02-01", "?from=2020-01-01&to=2026-01-01", "?from=0001-01-01&to=0001-01-02",
        "?to=0001-01-01", "?from=x", "?account=999", "?account=x", "?agent=999", "?channel=pigeon",
        "?from=%00", "?label=999", "?label=x", "?label=0", "?order=x", "?order=-x", "?order=--first",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(agent: Browser, desk: Desk, query: str) -> None:
    for below in ("", ".csv", "/resolution", "/resolution.csv"):
        assert agent.get(at(desk, query, below=below)).status_code == 400


def test_there_are_no_other_figures_classes_or_places(agent: Browser, desk: Desk) -> None:
    assert agent.get(at(desk, below="/happiness")).status_code == 404
    for query in ("?within=5", "?within=x", "?before=x"):
        assert agent.get(at(desk, query, below="/resolution")).status_code == 400
    assert agent.get(at(desk, "?within=1", below="/first-response")).status_code == 400


def test_accounts_and_people_of_another_workspace_are_unknown(agent: Browser, desk: Desk) -> None:
    other = make_workspace()
    stranger = make_user(workspace=other, role=Role.OWNER)
    assert agent.get(at(desk, f"?agent={stranger.id}")).status_code == 400
    assert agent.get(f"/w/{other}/reports").status_code == 404
    assert agent.get(f"/w/{other}/reports/resolution").status_code == 404
    foreign = client_for(agent.application, stranger)
    assert foreign.get(f"/w/{other}/reports?account={desk.account.id}").status_code == 400


def test_days_are_those_of_the_reader(agent: Browser, desk: Desk) -> None:
    start = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
    store(desk.workspace_id, [], received=[start, start + timedelta(hours=1)])
    query = "?from=2026-03-29&to=2026-03-29"
    assert "Messages" in page(agent, at(desk, query))
    agent.set_cookie("lobby-zone", "Europe/Berlin")
    series = table(agent, at(desk, query, below=".csv"))
    assert len(series) == 24, "the day has 23 hours"
    assert (series[1][:2], series[2][0]) == (["2026-03-29T00:00+01:00", "1"], "2026-03-29T01:00+01:00")
    assert series[3][0] == "2026-03-29T03:00+02:00"
    agent.set_cookie("lobby-zone", "Nowhere/Atall")
    assert "zone UTC" in page(agent, at(desk))


def test_one_person_alone(agent: Browser, desk: Desk) -> None:
    begin(desk, 40)
    conversation = desk.customer_wrote()
    kim = make_user("kim@example.com", "Kim", workspace=desk.workspace_id)
    store(
        desk.workspace_id,
        [answered(desk, conversation, 14), answered(desk, conversation, 40, user_id=kim.id)],
    )
    text = page(agent, at(desk, f"?agent={kim.id}"))
    assert '<span class="big">40 min <small>median</small></span>' in text
    assert "When customers write" not in text
    opened = page(agent, at(desk, f"?agent={kim.id}", below="/first-response"))
    assert "First response: 1" in opened
    assert ">Kim</bdi>" in opened


def test_figures_stand_apart_by_person_account_channel_and_hour(agent: Browser, desk: Desk) -> None:
    conversation = desk.customer_wrote()
    mia = agent_id()
    begin(desk, 20)
    store(
        desk.workspace_id,
        [
            answered(desk, conversation, 14) | {"user_id": mia},
            answered(desk, conversation, 16) | {"user_id": mia},
            answered(desk, conversation, 40),
        ],
    )
    text = page(agent, at(desk))
    assert "By person" in text
    found = re.findall(r'<th scope="row" class="any">(.*?)</tr>', text)
    assert len(found) == 2
    assert "14 min" in found[0]
    assert f"agent={mia}" in found[0]
    assert "Nobody on the team" in found[1]
    assert "<a" not in found[1], "nobody cannot be chosen"
    by_account = page(agent, at(desk, "?by=account"))
    assert f"account={desk.account.id}" in by_account
    assert 'name="by" value="account"' in by_account, "the form keeps the table"
    assert "By channel" in page(agent, at(desk, "?by=channel"))
    assert re.search(r"\d\d:00–\d\d:00", page(agent, at(desk, "?by=hour")))
    assert "By team" not in text, "there is none"
    rows = table(agent, at(desk, below="/table.csv"))
    assert rows[0][:3] == ["person", "received", "sent"]
    assert [(row[0], row[6], row[7]) for row in rows[1:]] == [
        ("Mia Reuter", "2", "840"),
        ("Nobody on the team", "1", "2400"),
    ]
    hours = table(agent, at(desk, "?by=hour", below="/table.csv"))
    assert sum(int(row[6]) for row in hours[1:]) == 3
    for below in ("", "/table.csv"):
        assert agent.get(at(desk, "?by=moon", below=below)).status_code == 400


def test_figures_of_a_team(agent: Browser, desk: Desk) -> None:
    conversation = desk.customer_wrote()
    begin(desk, 20)
    kiln = do(teams.create, desk.workspace_id, name="Kiln").id
    store(
        desk.workspace_id,
        [answered(desk, conversation, 14) | {"team_id": kiln}, answered(desk, conversation, 40)],
    )
    found = re.findall(r'<th scope="row" class="any">(.*?)</tr>', page(agent, at(desk, "?by=team")))
    assert [("Kiln" in one, "No team" in one, f"team={kiln}" in one) for one in found] == [
        (True, False, True),
        (False, True, False),
    ]
    alone = page(agent, at(desk, f"?team={kiln}"))
    assert '<span class="big">14 min <small>median</small></span>' in alone
    assert f'<option value="{kiln}" selected>Kiln' in alone
    assert "First response: 1" in page(agent, at(desk, f"?team={kiln}", below="/first-response"))
    assert [row[0] for row in table(agent, at(desk, "?by=team", below="/table.csv"))[1:]] == [
        "Kiln",
        "No team",
    ]
    elsewhere = do(teams.create, make_workspace("Else"), name="Kiln")
    assert agent.get(at(desk, f"?team={elsewhere.id}")).status_code == 400


def make_label(desk: Desk, name: str, *talks: int, tone: LabelTone = LabelTone.RED) -> int:
    """Create a label and add it to conversations."""
    made = do(labels.create, desk.workspace_id, name=name, tone=tone)
    for talk in talks:
        label_talk(desk.workspace_id, talk, [made.id])
    return made.id


ROWS = re.compile(r'<th scope="row"[^>]*>(.*?)</th>(.*?)</tr>')


def rows_of(text: str) -> dict[str, str]:
    """Return the rows of the table by their headings, without tags."""
    part = text[text.index('id="table"') :]
    return {re.sub("<[^>]*>", "", name): cells for name, cells in ROWS.findall(part)}


def test_figures_of_labels(agent: Browser, desk: Desk) -> None:
    begin(desk, 70)
    both, one, none = (desk.customer_wrote(f"c{number}") for number in range(3))
    complaint = make_label(desk, "Complaint", both, one)
    order = make_label(desk, "Order", both)
    make_label(desk, "Nothing")
    day_before = clock.now() - timedelta(days=2)
    began = [
        span("resolve", day_before, day_before + timedelta(hours=3), conversation_id=talk)
        for talk in (both, one, none, 999)
    ]
    waits = [answered(desk, both, 14), answered(desk, one, 50), answered(desk, none, 5)]
    store(desk.workspace_id, [*began, *waits, answered(desk, both, 20, days=30)])
    text = page(agent, at(desk, "?by=label"))
    rows = rows_of(text)
    assert list(rows) == ["Complaint", "Order", "All, each once"], "by name where the medians are equal"
    assert f'href="/w/1/reports/conversations?by=label&label={complaint}">2</a>' in rows["Complaint"]
    assert "6 min faster" in rows["Order"]
    assert ">4</a>" in rows["All, each once"], "each once, a deleted one too"
    assert "1 conversation has no label." in text
    opened = page(agent, at(desk, "?label=none", below="/conversations"))
    assert "Conversations: 1" in opened
    assert f'/inbox/{none}"' in opened
    for name in ("Messages received", "Answers"):
        assert f">{name}<" not in text
    alone = page(agent, at(desk, f"?label={order}"))
    assert '<span class="big">14 min <small>median</small></span>' in alone
    assert f'<option value="{order}" translate="no" selected>Order' in alone
    for absent in ("When customers write", "messages received", ">Answers<"):
        assert absent not in alone
    assert "First response: 1" in page(agent, at(desk, f"?label={order}", below="/first-response"))
    assert len(table(agent, at(desk, f"?label={complaint}", below="/resolution.csv"))) == 3
    assert table(agent, at(desk, f"?label={order}", below=".csv"))[-2][1:5] == ["", "", "", ""]


def test_labels_as_csv_have_no_hourly_sums(agent: Browser, desk: Desk) -> None:
    both, none = desk.customer_wrote("c1"), desk.customer_wrote("c2")
    make_label(desk, "Complaint", both)
    make_label(desk, "Order", both)
    start = clock.now() - timedelta(days=1)
    began = [span("resolve", start, None, conversation_id=talk) for talk in (both, none)]
    store(desk.workspace_id, [*began, answered(desk, both, 14), answered(desk, none, 5)])
    head, *rows = table(agent, at(desk, "?by=label", below="/table.csv"))
    assert head[:4] == ["label", "conversations", "first_count", "first_half_seconds"]
    assert not {"received", "sent", "closed"} & set(head)
    assert [row[:4] for row in rows] == [
        ["Complaint", "1", "1", "840"],
        ["Order", "1", "1", "840"],
        ["All, each once", "2", "2", "300"],
    ]
    assert all(len(row) == len(head) for row in rows)


def test_labels_of_another_workspace_and_without_labels(agent: Browser, desk: Desk) -> None:
    assert "By label" not in page(agent, at(desk))
    begin(desk, 20)
    store(desk.workspace_id, [answered(desk, desk.customer_wrote(), 14)])
    assert ">Label<" not in page(agent, at(desk)), "there is none"
    elsewhere = do(labels.create, make_workspace("Else"), name="Order", tone=LabelTone.RED)
    for below in ("", ".csv", "/table.csv", "/resolution", "/resolution.csv"):
        assert agent.get(at(desk, f"?label={elsewhere.id}", below=below)).status_code == 400


def test_what_is_not_known_by_label_is_left_out_of_every_table(agent: Browser, desk: Desk) -> None:
    assert "By label" not in page(agent, at(desk, "?by=label")), "there is nothing to show"
    begin(desk, 70)
    talk, mia = desk.customer_wrote(), agent_id()
    label = make_label(desk, "Order", talk)
    start = clock.now() - timedelta(days=2)
    closed = span("resolve", start, start + timedelta(hours=3), conversation_id=talk, user_id=mia)
    store(desk.workspace_id, [answered(desk, talk, 14, user_id=mia), closed])

    def cells(query: str, row: str) -> list[str]:
        return re.findall(r'data-label="([^"]*)"', rows_of(page(agent, at(desk, query)))[row])

    usual = ["First response", "Resolution", "Closed", "Missed"]
    assert cells(f"?label={label}", "Mia Reuter") == usual
    assert cells(f"?by=account&label={label}", desk.account.handle) == usual
    hour = f"{(start + timedelta(hours=3)):%H}:00"
    assert any(row.startswith(hour) for row in rows_of(page(agent, at(desk, f"?by=hour&label={label}"))))
    of_labels = [
        "Conversations",
        "First response",
        "90th percentile",
        "Next responses",
        "Resolution",
        "Missed",
    ]
    for query in ("?by=label", "?by=label&hours=business", f"?by=label&label={label}"):
        assert cells(query, "Order") == cells(query, "All, each once") == of_labels
    of_person = page(agent, at(desk, f"?by=label&agent={mia}"))
    assert "no label" not in of_person, "customers began them"
    assert cells(f"?by=label&agent={mia}", "Order") == of_labels[1:]
    assert table(agent, at(desk, f"?by=label&agent={mia}", below="/table.csv"))[1][1] == ""
    assert len(table(agent, at(desk, f"?label={label}", below="/table.csv"))) == 2


def test_every_heading_sorts_both_ways(agent: Browser, desk: Desk) -> None:
    talks = [desk.customer_wrote(f"c{number}") for number in range(4)]
    for name, talk in zip(("zeta", "Beta", "alpha", "Gamma"), talks, strict=True):
        make_label(desk, name, talk)
    start = clock.now() - timedelta(days=1)
    spans = [answered(desk, talk, minutes) for talk, minutes in zip(talks, (5, 90, 5), strict=False)]
    closed = [
        span("resolve", start, start + timedelta(hours=hours), conversation_id=talk)
        for talk, hours in zip(talks, (9, 2, 5, 3), strict=True)
    ]
    store(desk.workspace_id, [*spans, *closed])

    def order(query: str, name: str = "label") -> list[str]:
        text = page(agent, at(desk, f"?by={name}{query}"))
        return [row for row in rows_of(text) if row != "All, each once"]

    assert order("") == ["Beta", "alpha", "zeta", "Gamma"], "the slowest first, without a value last"
    assert order("&order=first") == ["alpha", "zeta", "Beta", "Gamma"]
    assert order("&order=-resolution") == ["zeta", "alpha", "Gamma", "Beta"]
    assert order("&order=name") == ["alpha", "Beta", "Gamma", "zeta"]
    assert order("&order=-name") == ["zeta", "Gamma", "Beta", "alpha"]
    assert order("&order=received") == order("&order=name"), "a column that labels do not have"
    text = page(agent, at(desk, "?by=label&order=-resolution"))
    found = re.findall(r'aria-sort="(\w+)"><a class="sort" href="([^"]*)">([\w ]+)', text)
    assert found == [("descending", "/w/1/reports?by=label&order=resolution#table", "Median resolution")]
    assert 'href="/w/1/reports?by=label&order=name#table">Label' in text
    assert 'href="/w/1/reports?by=label#table">Median first response' in text, "the default is not said"
    assert 'type="hidden" name="order" value="-resolution"' in text, "the form keeps the order"
    assert 'href="/w/1/reports?by=account#table">Account' in text, "another table has its own"
    rows = table(agent, at(desk, "?by=label&order=-resolution", below="/table.csv"))
    assert [row[0] for row in rows[1:3]] == ["zeta", "alpha"]
    mia = agent_id()
    store(
        desk.workspace_id,
        [answered(desk, talks[0], 70, user_id=mia), answered(desk, talks[0], 80, user_id=mia)],
    )
    assert order("&order=-first", "person")[0] == "Mia Reuter"
    assert order("&order=first", "person")[0] == "Nobody on the team"
    assert 'aria-sort="ascending"' in page(agent, at(desk, "?order=first"))
    assert "aria-sort" not in page(agent, at(desk)), "the default is no column's"


def agent_id() -> int:
    with db.read() as session:
        return session.scalars(sa.select(User.id).where(User.email == "mia@example.com")).one()


LISTED = re.compile(r'inbox/(\d+)"')


def test_the_slowest_come_first_and_pages_keep_their_place(
    agent: Browser, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE", 2)
    minutes = [5, 90, 5, 5, 240]
    talks = [desk.customer_wrote(f"c{number}") for number in range(len(minutes))]
    store(
        desk.workspace_id,
        [
            answered(desk, talk, took, days=1 + place)
            for place, (talk, took) in enumerate(zip(talks, minutes, strict=True))
        ],
    )

    def listed(query: str) -> tuple[list[int], str]:
        text = page(agent, at(desk, query, below="/first-response"))
        found = re.search(r'href="[^"]*first-response(\?[^"]*before=[^"]*)"', text)
        return [int(one) for one in LISTED.findall(text)], found.group(1) if found else ""

    first, query = listed("?sort=slowest")
    assert first == [talks[4], talks[1]]
    assert "sort=slowest" in query
    second, query = listed(query)
    # What arrives meanwhile moves nothing on later pages, and of equal ones none comes twice.
    store(desk.workspace_id, [answered(desk, talks[0], 300)])
    third, end = listed(query)
    assert sorted(second + third) == sorted([talks[0], talks[2], talks[3]])
    assert end == ""
    assert listed("")[0][0] == talks[0], "the newest first, unless asked"
    rows = table(agent, at(desk, "?sort=slowest", below="/first-response.csv"))[1:]
    assert [int(row[6]) for row in rows] == sorted((int(row[6]) for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("below", "query"),
    [
        ("/first-response", "?sort=worst"),
        ("/conversations", "?sort=slowest"),
        ("/windows-missed.csv", "?sort=slowest"),
        ("/first-response", "?sort=slowest&before=x"),
        ("/first-response", "?sort=slowest&before=5"),
        ("/first-response", f"?sort=slowest&before={'9' * 30}-1"),
    ],
)
def test_an_order_or_place_that_makes_no_sense_is_refused(
    agent: Browser, desk: Desk, below: str, query: str
) -> None:
    assert agent.get(at(desk, query, below=below)).status_code == 400


def test_late_answers_are_sorted_by_how_late_they_were(agent: Browser, desk: Desk) -> None:
    talks = [desk.customer_wrote(f"c{number}") for number in range(2)]
    store(
        desk.workspace_id,
        [
            answered(desk, talks[0], 100, target_seconds=90 * 60),
            answered(desk, talks[1], 60, target_seconds=60),
        ],
    )
    text = page(agent, at(desk, "?sort=slowest", below="/late-answers"))
    assert [int(one) for one in LISTED.findall(text)] == [talks[1], talks[0]]


def test_an_answer_within_a_second_took_no_time_that_is_zero(agent: Browser, desk: Desk) -> None:
    store(desk.workspace_id, [answered(desk, desk.customer_wrote(), 0)])
    for below in ("", "/first-response"):
        text = page(agent, at(desk, below=below))
        assert "under 1 s" in text
        assert not re.search(r">0 (ms|s)\b", text)
