"""The pages of what an assistant knows, of what it could learn, and of its cases."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import pytest
import sqlalchemy as sa

from host.assistants import trials
from host.assistants.knowledge import entries, extraction
from host.assistants.models import AssistantCase, EntryKind, EntryState, KnowledgeEntry, TurnState
from host.assistants.pages import learning_views
from host.assistants.trials import Played
from host.assistants.values import ModelError
from host.channels.pages import greetings
from host.core import db
from host.inbox.canned.models import CannedReply
from host.inbox.pages import durations
from host.models.inbox import Message
from host.models.users import AuditEntry, Role
from tests import helpers
from tests.assistants import making, papers
from tests.assistants.test_learning import YARD, answered
from tests.inbox import toys
from tests.inbox.desks import Desk


@pytest.fixture
def owner(desk: Desk) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=desk.workspace, role=Role.OWNER)
    return helpers.client_for(desk.app, person)


@pytest.fixture
def assistant(desk: Desk) -> int:
    return making.assistant(desk.workspace)


@pytest.fixture
def base_path(desk: Desk, assistant: int) -> str:
    return f"/w/{desk.workspace}/assistants/{assistant}"


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def rows() -> list[KnowledgeEntry]:
    return toys.everything(KnowledgeEntry)


def audits() -> list[str]:
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.action.like("%.%")).order_by(AuditEntry.id)
        return [one for one in session.scalars(query) if one.startswith(("knowledge", "case", "canned"))]


def said(desk: Desk, words: str, contact: str = "ana") -> int:
    toys.apply(desk.account, toys.received(words, contact=contact), adapter=toys.WINDOWED)
    with db.read() as session:
        return session.scalars(sa.select(sa.func.max(Message.id))).one()


# ---- entries -------------------------------------------------------------------------------------------


def test_several_files_and_a_page_are_given_at_once(owner: helpers.Browser, base_path: str) -> None:
    files = [(io.BytesIO(b"We ship on Monday."), "a.txt"), (io.BytesIO(b"# B\n\nClosed in May."), "b.md")]
    answer = owner.post_form(f"{base_path}/give", file=files, url="https://pottery.example/shipping")
    assert answer.status_code == 303
    page = text(owner.get(answer.location))
    assert [(one.kind, one.origin, one.state) for one in rows()] == [
        (EntryKind.FILE, "a.txt", EntryState.READY),
        (EntryKind.FILE, "b.md", EntryState.READY),
        (EntryKind.PAGE, "https://pottery.example/shipping", EntryState.WAITING),
    ]
    assert "3 entries" in page
    assert "Reading…" in page


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "No file was uploaded"),
        ({"file": (io.BytesIO(b"PK"), "b.docx")}, "Only PDF, Markdown and plain text files are supported."),
        ({"file": (io.BytesIO(b""), "b.txt")}, "It contains no text"),
        ({"url": "http://127.0.0.1/"}, "This isn't a valid page URL"),
    ],
)
def test_what_cannot_be_read_is_not_given(
    owner: helpers.Browser, base_path: str, given: dict[str, Any], why: str
) -> None:
    answer = owner.post_form(f"{base_path}/give", **given)
    assert answer.status_code == 400
    page = text(answer)
    assert why in page
    assert html.escape(given.get("url", "")) in answer.get_data(as_text=True)
    assert rows() == []


def test_files_are_given_all_or_none(
    owner: helpers.Browser, base_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MOST", 1)
    files = [(io.BytesIO(b"We ship on Monday."), "a.txt"), (io.BytesIO(b"Closed in May."), "b.txt")]
    answer = owner.post_form(f"{base_path}/give", file=files)
    assert answer.status_code == 400
    assert rows() == []


def test_an_answer_to_a_question_that_was_tried_is_begun_with_it(
    owner: helpers.Browser, base_path: str
) -> None:
    page = text(owner.get(f"{base_path}/knowledge/new?question=Is%20there%20parking%3F"))
    assert page.count("Is there parking?") == 2
    assert owner.get(f"{base_path}/knowledge/new?question={'x' * 3000}").status_code == 200


def test_an_entry_is_written_changed_checked_and_deleted(owner: helpers.Browser, base_path: str) -> None:
    assert "No knowledge yet" in text(owner.get(f"{base_path}/knowledge"))
    assert owner.get(f"{base_path}/knowledge/new").status_code == 200
    answer = owner.post_form(
        f"{base_path}/knowledge/new",
        kind="pasted",
        title="Shipping",
        text="To Norway it takes 4 to 6 days.",
        questions="Do you ship to Norway?\r\nVersand?",
    )
    assert answer.status_code == 303
    page = text(owner.get(f"{base_path}/knowledge"))
    assert "“Do you ship to Norway?”" in page
    assert "Written by Olu O." in page
    assert "1 of 1." in page
    (row,) = rows()
    one = f"{base_path}/knowledge/{row.id}"
    page = text(owner.get(one))
    assert "To Norway it takes 4 to 6 days." in page
    assert owner.post_form(one, title="Shipping", text="Now 5 days.", questions="").status_code == 303
    assert (rows()[0].text, rows()[0].origin) == ("Now 5 days.", "Olu O.")
    assert owner.post_form(f"{one}/check").status_code == 303
    assert owner.post_form(f"{one}/delete").status_code == 303
    assert rows() == []
    assert audits() == ["knowledge.added", "knowledge.changed", "knowledge.checked", "knowledge.deleted"]
    assert owner.get(one).status_code == 404


def test_nothing_is_lost_on_a_bad_form(owner: helpers.Browser, base_path: str) -> None:
    answer = owner.post_form(
        f"{base_path}/knowledge/new", kind="pasted", title="", text="Words <b>kept</b>", questions="Kept?"
    )
    assert answer.status_code == 400
    page = text(answer)
    assert "The title must have 1 to 200 characters" in page
    assert "Words <b>kept</b>" in page
    assert "Kept?" in page
    assert rows() == []


def test_a_file_is_read_and_need_not_be_chosen_again(owner: helpers.Browser, base_path: str) -> None:
    upload = (io.BytesIO(papers.pdf("Mugs cost 20", "Bowls cost 30")), "C:\\Prices 2026.pdf")
    many = "\n".join(f"{n}?" for n in range(21))
    answer = owner.post_form(f"{base_path}/knowledge/new", kind="file", questions=many, file=upload)
    assert answer.status_code == 400
    page = text(answer)
    assert "Prices 2026.pdf was uploaded" in page
    found = re.search(r'<textarea name="read"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    answer = owner.post_form(
        f"{base_path}/knowledge/new",
        kind="file",
        title="Prices",
        questions="1?",
        read=found[1],
        file_name="Prices 2026.pdf",
    )
    assert answer.status_code == 303
    (row,) = rows()
    assert (row.kind, row.origin, row.title, row.text) == (
        EntryKind.FILE,
        "Prices 2026.pdf",
        "Prices",
        "Mugs cost 20\fBowls cost 30",
    )
    with db.read() as session:
        assert [one.place for one in entries.passages_of(session, row.id)] == ["p. 1", "p. 2"]
    other = (io.BytesIO(b"# Prices\n\nMugs cost 22."), "prices.md")
    answer = owner.post_form(f"{base_path}/knowledge/{row.id}", title="Prices", questions="", file=other)
    assert answer.status_code == 303
    assert (rows()[0].text, rows()[0].origin) == ("# Prices\n\nMugs cost 22.", "prices.md")


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("run.exe", b"MZ", "text files are supported"),
        ("fake.pdf", b"not a pdf", "text files are supported"),
        ("bare.pdf", papers.pdf(""), "It contains no text"),
        ("locked.pdf", papers.locked("secret", "x"), "The file could not be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    owner: helpers.Browser, base_path: str, name: str, body: bytes, why: str
) -> None:
    fields: dict[str, Any] = {"kind": "file", "title": "Kept title", "file": (io.BytesIO(body), name)}
    answer = owner.post_form(f"{base_path}/knowledge/new", **fields)
    assert answer.status_code == 400
    assert why in text(answer)
    assert "Kept title" in text(answer)
    assert rows() == []


def test_a_page_is_added_and_read_later(owner: helpers.Browser, base_path: str) -> None:
    for url in ("http://pottery.example/shipping", "nothing", "https://user:pw@pottery.example/"):
        answer = owner.post_form(f"{base_path}/knowledge/new", kind="page", url=url)
        assert answer.status_code == 400
        assert url in text(answer)
    answer = owner.post_form(
        f"{base_path}/knowledge/new", kind="page", url="https://pottery.example/shipping/"
    )
    assert answer.status_code == 303
    (row,) = rows()
    assert (row.state, row.title) == (EntryState.WAITING, "pottery.example/shipping")
    page = text(owner.get(f"{base_path}/knowledge"))
    assert "pottery.example/shipping will be loaded" in page
    assert "not loaded yet" in page
    making.put(row.id, state=EntryState.GONE, problem="page_gone")
    assert "The page no longer exists" in text(owner.get(f"{base_path}/knowledge"))
    assert "used until it can be loaded" in text(owner.get(f"{base_path}/knowledge/{row.id}"))
    owner.post_form(f"{base_path}/knowledge/{row.id}", title="Shipping", questions="Norway?")
    assert (rows()[0].title, rows()[0].origin) == ("Shipping", "https://pottery.example/shipping/")


def test_without_the_extra_pages_are_refused_with_the_way_out(
    owner: helpers.Browser, base_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "is_available", lambda: False)
    answer = owner.post_form(f"{base_path}/knowledge/new", kind="page", url="https://pottery.example/")
    assert answer.status_code == 400
    assert "[assistants]" in text(answer)


def test_old_entries_ask_for_a_look_and_are_found(
    owner: helpers.Browser, desk: Desk, assistant: int, base_path: str
) -> None:
    entry = making.entry(desk.workspace, assistant, "Returns", "30 days", "Can I send it back?")
    making.entry(desk.workspace, assistant, "Hours", "10 to 18")
    making.put(entry, checked_at=making.kept(entry).checked_at - entries.OLD * 2)
    making.turn(assistant, said(desk, "hello"), sources=[{"number": 1, "title": "Returns", "entry": entry}])
    page = text(owner.get(f"{base_path}/knowledge"))
    assert re.search(r'got-old">.*?12 months', page, re.DOTALL)
    found = text(owner.get(f"{base_path}/knowledge?q=send"))
    assert "Returns" in found
    assert "Hours" not in found
    assert "1 of 2." in found
    assert re.search(r'class="end nums">1</td>', found)


def test_agents_and_others_do_not_get_in(
    desk: Desk, assistant: int, base_path: str, owner: helpers.Browser
) -> None:
    entry = making.entry(desk.workspace, assistant, "Returns", "30 days")
    other = helpers.make_workspace("Other")
    stranger = helpers.client_for(desk.app, helpers.make_user(workspace=other, role=Role.OWNER))
    elsewhere = f"/w/{other}/assistants/{assistant}"
    for rest in ("knowledge", "knowledge/new", f"knowledge/{entry}", "not-answered", "past-answers", "cases"):
        assert desk.browser.get(f"{base_path}/{rest}").status_code == 403
        assert stranger.get(f"{base_path}/{rest}").status_code == 404
        assert stranger.get(f"{elsewhere}/{rest}").status_code == 404
        assert owner.get(f"{base_path}/{rest}").status_code == 200
    for rest in (
        f"knowledge/{entry}/delete",
        f"knowledge/{entry}/check",
        f"knowledge/{entry}",
        "knowledge/new",
        "past-answers",
        "cases/add",
        "cases/try",
    ):
        form = {"title": "x", "text": "x", "good": "person", "question": "x"}
        assert stranger.post_form(f"{elsewhere}/{rest}", **form).status_code == 404, rest
    assert len(rows()) == 1


# ---- learning ------------------------------------------------------------------------------------------


def test_what_was_not_answered_leads_to_an_entry(
    owner: helpers.Browser, desk: Desk, assistant: int, base_path: str
) -> None:
    assert "No unanswered questions in 30 days" in text(owner.get(f"{base_path}/not-answered"))
    for number in range(2):
        message = said(desk, "Is there parking at the studio?", f"c{number}")
        turn = making.turn(assistant, message)
        answered(message, "There are three places in the yard.", desk.mia.id)
    page = text(owner.get(f"{base_path}/not-answered"))
    assert "Is there parking at the studio?" in page
    assert "Mia R. gave 2 similar answers" in page
    assert "2 questions in 30 days" in page
    form = text(owner.get(f"{base_path}/knowledge/new?turn={turn}"))
    assert 'value="Is there parking at the studio?"' in form


def test_a_past_answer_is_dismissed_and_brought_back(
    owner: helpers.Browser, desk: Desk, assistant: int, base_path: str
) -> None:
    for number in range(3):
        answered(said(desk, "Is there parking?", f"c{number}"), YARD.format("there"), desk.mia.id)
    assert "1 entry from your past answers" in text(owner.get(f"{base_path}/knowledge"))
    page = text(owner.get(f"{base_path}/past-answers"))
    assert f'<input type="hidden" name="text" value="{YARD.format("there")}">' in page
    assert "Restore" not in page
    done = owner.post_form(f"{base_path}/past-answers/dismiss", text=YARD.format("there"))
    assert done.status_code == 303
    page = text(owner.get(f"{base_path}/past-answers"))
    assert "The answer was dismissed." in page
    assert "1 dismissed" in page
    assert "No answer was given often enough" in page
    assert "from your past answers" not in text(owner.get(f"{base_path}/knowledge"))
    refused = owner.post_form(f"{base_path}/past-answers/dismiss", text="Thanks!")
    assert refused.status_code == 400
    assert "too short to recognize" in text(refused)
    (id_,) = re.findall(r'name="dismissed" value="(\d+)"', page)
    for wrong in ("x", "0", "9" * 30):
        assert owner.post_form(f"{base_path}/past-answers/bring-back", dismissed=wrong).status_code == 303
    assert "was not dismissed" in text(owner.get(f"{base_path}/past-answers"))
    assert owner.post_form(f"{base_path}/past-answers/bring-back", dismissed=id_).status_code == 303
    page = text(owner.get(f"{base_path}/past-answers"))
    assert "The answer was restored." in page
    assert "3 similar answers" in page
    with db.read() as session:
        query = sa.select(AuditEntry.action, AuditEntry.subject).where(AuditEntry.action.like("past%"))
        noted = [tuple(one) for one in session.execute(query.order_by(AuditEntry.id))]
    assert [action for action, _subject in noted] == ["past_answer.dismissed", "past_answer.brought_back"]
    assert all("places" not in subject for _action, subject in noted)


def test_a_past_answer_becomes_an_entry_or_a_canned_reply(
    owner: helpers.Browser, desk: Desk, assistant: int, base_path: str
) -> None:
    for number in range(3):
        answered(said(desk, "Is there parking?", f"c{number}"), YARD.format("Ana, order 10482"), desk.mia.id)
    assert "1 entry from your past answers" in text(owner.get(f"{base_path}/knowledge"))
    page = text(owner.get(f"{base_path}/past-answers"))
    assert "3 similar answers" in page
    assert "<mark>10482</mark>" in page
    assert "by Mia R." in page
    bad = owner.post_form(
        f"{base_path}/past-answers", title="Parking", text="", questions="kept?", by="Mia R."
    )
    assert bad.status_code == 400
    assert "kept?" in text(bad)
    form = {
        "title": "Parking at the studio",
        "text": YARD.format("there"),
        "questions": "Is there parking?",
        "by": "Mia R.",
    }
    assert owner.post_form(f"{base_path}/past-answers", **form, **{"as": "canned"}).status_code == 303
    with db.read() as session:
        reply = session.scalars(sa.select(CannedReply)).one()
    assert (reply.shortcut, reply.title, reply.owner_id) == (
        "parking-at-the-studio",
        "Parking at the studio",
        None,
    )
    again = owner.post_form(f"{base_path}/past-answers", **form, **{"as": "canned"})
    assert again.status_code == 400
    assert "A canned reply with that shortcut already exists" in text(again)
    assert owner.post_form(f"{base_path}/past-answers", **form, **{"as": "entry"}).status_code == 303
    (row,) = rows()
    assert (row.kind, row.origin, row.questions) == (EntryKind.PAST, "Mia R.", ["Is there parking?"])
    assert "No answer was given often enough" in text(owner.get(f"{base_path}/past-answers"))
    page = text(owner.get(f"{base_path}/knowledge"))
    assert "Past answers, Mia R." in page
    assert "from your past answers" not in page
    assert audits() == ["canned_reply.added", "knowledge.added"]


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Parking at the studio", "parking-at-the-studio"),
        ("Öffnungszeiten?", "öffnungszeiten"),
        ("駐車場", "駐車場"),
        ("!?", "answer"),
        ("x" * 50, "x" * 32),
        ("Do you ship to Norway and to Switzerland", "do-you-ship-to-norway-and-to"),
    ],
)
def test_a_title_makes_a_shortcut(title: str, wanted: str) -> None:
    assert learning_views.shortcut(title) == wanted


# ---- cases ---------------------------------------------------------------------------------------------


def test_a_case_is_made_by_hand_changed_and_deleted(owner: helpers.Browser, base_path: str) -> None:
    assert "New test case" in text(owner.get(f"{base_path}/cases"))
    asked = owner.post_form(f"{base_path}/cases/add", question="Do you sell candles?")
    assert asked.status_code == 200
    assert "Do you sell candles?" in text(asked)
    bad = owner.post_form(
        f"{base_path}/cases/add", question="Candles?", good="answer", says="", never_says=""
    )
    assert bad.status_code == 400
    assert "describe a good answer" in text(bad)
    form = {"question": "Candles?", "good": "answer", "says": "no\nonly pots", "never_says": "yes"}
    assert owner.post_form(f"{base_path}/cases/add", **form).status_code == 303
    (row,) = toys.everything(AssistantCase)
    assert (row.says, row.never_says) == (["no", "only pots"], ["yes"])
    one = f"{base_path}/cases/{row.id}"
    assert owner.post_form(one, question="", good="person").status_code == 400
    assert owner.post_form(one, question="Lamps?", good="person").status_code == 303
    assert "A person should answer." in text(owner.get(f"{base_path}/cases"))
    assert owner.post_form(f"{one}/delete").status_code == 303
    assert owner.post_form(f"{one}/delete").status_code == 404
    assert audits() == ["case.added", "case.changed", "case.deleted"]


def test_a_case_of_a_turn_knows_its_conversation(
    owner: helpers.Browser, desk: Desk, assistant: int, base_path: str
) -> None:
    turn = making.turn(assistant, said(desk, "Do you sell candles?"), state=TurnState.READY)
    page = text(owner.get(f"{base_path}/cases?turn={turn}"))
    assert "Do you sell candles?" in page
    form = {"question": "Candles?", "good": "person", "turn": str(turn)}
    assert owner.post_form(f"{base_path}/cases/add", **form).status_code == 303
    (row,) = toys.everything(AssistantCase)
    assert row.conversation_id is not None
    assert "was deleted" in text(owner.get(f"{base_path}/cases?turn=999"))
    assert owner.post_form(f"{base_path}/cases/add", **{**form, "turn": "999"}).status_code == 404


def test_cases_that_are_due_are_tried(
    owner: helpers.Browser, base_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"good": "answer", "says": "14 €"}
    owner.post_form(f"{base_path}/cases/add", question="To Norway?", **form)
    owner.post_form(f"{base_path}/cases/add", question="Candles?", **form)
    asked: list[str] = []

    def play(_workspace: int, _assistant: int, lines: list[tuple[str, str]], _draft: object) -> Played:
        asked.append(lines[-1][1])
        return Played(text="It costs 14 €.") if "Norway" in lines[-1][1] else Played(hands_over=True)

    monkeypatch.setattr(trials, "play", play)
    assert owner.post_form(f"{base_path}/cases/try").status_code == 303
    page = text(owner.get(f"{base_path}/cases"))
    assert "2 test cases were run, 1 passed." in page
    assert sorted(asked) == ["Candles?", "To Norway?"]
    owner.post_form(f"{base_path}/cases/try")
    assert len(asked) == 3

    def fail(*_given: object) -> Played:
        raise ModelError("model_timeout")

    monkeypatch.setattr(trials, "play", fail)
    owner.post_form(f"{base_path}/cases/try")
    assert "The model did not answer in time" in text(owner.get(f"{base_path}/cases"))


def test_ages_are_in_one_unit(desk: Desk) -> None:
    with desk.app.test_request_context("/"):
        ages = [durations.age(making.NOW, making.later(days=days)) for days in (0, 1, 17, 25, 70, 340)]
    assert ages == ["today", "1 day", "17 days", "3 weeks", "2 months", "11 months"]


def test_a_question_is_filled_into_the_ice_breakers() -> None:
    def lines(*texts: str) -> greetings.Sheet:
        return greetings.Sheet([greetings.Block("default", [greetings.GreetingItem(one) for one in texts])])

    for before, asked, after in (
        (("Hours?", "", ""), "Is there\nparking?", ["Hours?", "Is there parking?", ""]),
        (("Hours?", ""), "", ["Hours?", ""]),
        (("Hours?", ""), "Hours?", ["Hours?", ""]),
        (("One?", "Two?"), "Three?", ["One?", "Two?"]),
        (("",), "x" * 100, ["x" * 80]),
    ):
        sheet = lines(*before)
        sheet.offer(asked, 80)
        assert [line.text for line in sheet.blocks[0].lines] == after
