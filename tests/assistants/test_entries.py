"""Entries are cut without losing a word, kept within limits, and raise the version of the knowledge."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host.assistants import assistants
from host.assistants.knowledge import entries, passages
from host.assistants.knowledge.entries import EntryError, EntryInput, EntryNotFoundError
from host.assistants.models import EntryKind, EntryState, KnowledgePassage
from host.core import clock, db
from tests import helpers
from tests.assistants import making
from tests.helpers import do

WORDS = st.sampled_from(
    ["Ton", "glaze", "vajilla", "陶器。", "ok.", "# not a heading", "été!", "a" * 700, "x"]
)
GAPS = st.sampled_from([" ", "\n", "\n\n", "\n \n", "\f", ". ", "\n## Heading\n", "\n\n# Other\n\n", "\t"])


@settings(max_examples=300)
@given(st.lists(st.tuples(WORDS, GAPS), max_size=400))
@example([("a" * 700, " "), ("a" * 700, "\n## Heading\n"), ("x", "\f")])
@example([("陶器。", "")] * 900)
def test_cutting_loses_no_word(parts: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in parts)
    pieces = passages.cut(text)
    assert " ".join(one.text for one in pieces).split() == text.split() or (
        # Without spaces between sentences, or for a word that is longer than a passage, a cut adds one.
        "".join("".join(one.text for one in pieces).split()) == "".join(text.split())
        and ("。" in text or any(len(word) > passages.LONGEST for word in text.split()))
    )
    assert all(0 < len(one.text) <= passages.LONGEST for one in pieces)
    assert all(len(one.place) <= passages.LONGEST_PLACE for one in pieces)


@settings(max_examples=100)
@given(st.text(max_size=5000))
def test_cutting_takes_any_text(text: str) -> None:
    pieces = passages.cut(text)
    assert "".join("".join(one.text for one in pieces).split()) == "".join(text.split())
    assert all(len(one.text) <= passages.LONGEST for one in pieces)


def test_a_heading_stays_with_what_stands_below_it() -> None:
    long = " ".join(["Words of a sentence about clay."] * 25)
    pieces = passages.cut(f"# Clay\n\n{long}\n\n## Firing\n\n{long}\n## Price\n4 € a kilogram.")
    assert [one.place for one in pieces] == ["Clay", "Firing", "Price"]
    assert [one.text.splitlines()[0] for one in pieces] == ["# Clay", "## Firing", "## Price"]
    assert pieces[2].text == "## Price\n\n4 € a kilogram."


def test_pages_are_places() -> None:
    pieces = passages.cut("First page.\f\fThird page.\fFourth: " + "word " * 400)
    assert [one.place for one in pieces] == ["p. 1", "p. 3", "p. 4", "p. 4"]


def test_short_parts_stay_together() -> None:
    assert [one.text for one in passages.cut("One.\n\n# Two\n\nThree.")] == ["One.\n\n# Two\n\nThree."]


@pytest.fixture
def workspace(database: db.Database) -> int:
    return helpers.make_workspace("Sample Pottery")


@pytest.fixture
def assistant(workspace: int) -> int:
    return making.assistant(workspace)


def test_an_entry_is_added_changed_and_deleted(workspace: int, assistant: int) -> None:
    entry = making.entry(
        workspace, assistant, " Ship\nping ", "4 to 6 days.\r\n\r\n14 €", "To Norway? ", "", "To Norway?"
    )
    row = making.kept(entry)
    assert (row.title, row.text, row.questions) == ("Ship ping", "4 to 6 days.\n\n14 €", ["To Norway?"])
    assert (row.state, row.due_at) == (EntryState.READY, None)
    assert making.knowledge_version(assistant) == 1
    with db.read() as session:
        assert [one.text for one in entries.passages_of(session, entry)] == ["4 to 6 days.\n\n14 €"]

    ids = workspace, assistant, entry
    do(entries.change, *ids, EntryInput("Shipping", "Now 5 days."))
    row = making.kept(entry)
    assert (row.title, row.text, row.questions) == ("Shipping", "Now 5 days.", [])
    assert making.knowledge_version(assistant) == 2
    with db.read() as session:
        assert [one.text for one in entries.passages_of(session, entry)] == ["Now 5 days."]

    assert do(entries.delete, *ids) == "Shipping"
    assert making.knowledge_version(assistant) == 3
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(KnowledgePassage)) == 0
    with pytest.raises(EntryNotFoundError):
        do(entries.delete, *ids)


def test_the_words_of_a_file_are_not_changed_with_its_title(workspace: int, assistant: int) -> None:
    entry = making.entry(workspace, assistant, "Prices", "one\ftwo", kind=EntryKind.FILE, origin="prices.pdf")
    checked = making.kept(entry).checked_at
    ids = workspace, assistant, entry
    do(entries.change, *ids, EntryInput("Wholesale", "other"))
    row = making.kept(entry)
    assert (row.title, row.text, row.origin, row.checked_at) == (
        "Wholesale",
        "one\ftwo",
        "prices.pdf",
        checked,
    )
    wanted = EntryInput("Wholesale", "three", origin="new.pdf")
    do(entries.change, *ids, wanted, replaced=True)
    row = making.kept(entry)
    assert (row.text, row.origin) == ("three", "new.pdf")
    assert row.checked_at >= checked


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (EntryInput("", "words"), "title"),
        (EntryInput("x" * 201, "words"), "title"),
        (EntryInput("Title", " \n"), "text"),
        (EntryInput("Title", "x" * 200_001), "text"),
        (EntryInput("Title", "words", ["?" * 301]), "questions"),
        (EntryInput("Title", "words", [f"{n}?" for n in range(21)]), "questions"),
    ],
)
def test_what_is_no_entry_is_refused(workspace: int, assistant: int, wanted: EntryInput, field: str) -> None:
    with pytest.raises(EntryError) as error:
        do(entries.add, workspace, assistant, wanted)
    assert error.value.field == field
    assert making.knowledge_version(assistant) == 0


def test_the_most_is_kept_to(workspace: int, assistant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST", 2)
    making.entry(workspace, assistant, "One", "words")
    making.entry(workspace, assistant, "Two", "words")
    with pytest.raises(EntryError):
        making.entry(workspace, assistant, "Three", "words")
    monkeypatch.setattr(entries, "MOST", 500)
    monkeypatch.setattr(entries, "MOST_PASSAGES", 3)
    with pytest.raises(EntryError):
        making.entry(workspace, assistant, "Three", "word " * 400)
    with db.read() as session:
        assert entries.counts(session, workspace, assistant, clock.now()).entries == 2


def test_the_list_is_found_in_and_of_one_workspace(workspace: int, assistant: int) -> None:
    making.entry(workspace, assistant, "Returns", "words", "Can I send it back?")
    making.entry(workspace, assistant, "Prices", "words", kind=EntryKind.FILE, origin="prices.pdf")
    other = helpers.make_workspace("Other")
    with db.read() as session:
        names = [one.title for one in entries.listing(session, workspace, assistant)]
        assert names == ["Prices", "Returns"]
        assert [one.title for one in entries.listing(session, workspace, assistant, search="SEND back")] == [
            "Returns"
        ]
        assert [one.title for one in entries.listing(session, workspace, assistant, search=".pdf")] == [
            "Prices"
        ]
        assert entries.listing(session, other, assistant) == []
        with pytest.raises(assistants.AssistantNotFoundError):
            assistants.get(session, other, assistant)
