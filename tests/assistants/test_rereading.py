"""Pages of the web are read over a real socket, again after a week, and given up with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from host.assistants.knowledge import entries, extraction, refreshing, retrieval
from host.assistants.models import EntryKind, EntryState, KnowledgeEntry
from host.core import clock, db, guard
from tests import helpers
from tests.assistants import making, papers
from tests.assistants.test_reading import PAGE
from tests.helpers import do
from tests.media import provider
from tests.media.provider import Provider

HTML = "text/html; charset=utf-8"


@pytest.fixture
def site() -> Iterator[Provider]:
    with provider.serving() as found:
        guard.allow([found.url.removeprefix("http://")])
        yield found
    guard.allow([])


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time it is; to be moved."""
    moment = [making.NOW]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


@pytest.fixture
def workspace(database: db.Database) -> int:
    return helpers.make_workspace("Sample Pottery")


@pytest.fixture
def assistant(workspace: int) -> int:
    return making.assistant(workspace)


def add(workspace: int, assistant: int, url: str, title: str = "") -> int:
    return making.entry(workspace, assistant, title or extraction.short(url), kind=EntryKind.PAGE, origin=url)


def state(entry: int) -> tuple[str, str | None]:
    row = making.kept(entry)
    return row.state, row.problem


def found(assistant: int, question: str) -> list[str]:
    with db.read() as session:
        return [one.title for one in retrieval.matching(session, assistant, question)]


def test_a_page_is_read_and_found(
    workspace: int, assistant: int, site: Provider, now: list[datetime]
) -> None:
    entry = add(workspace, assistant, site.put("/versand", PAGE.encode(), HTML))
    assert state(entry) == (EntryState.WAITING, None)
    assert found(assistant, "Österreich Spedition") == []
    assert refreshing.read_due()
    row = making.kept(entry)
    assert (row.state, row.due_at) == (EntryState.READY, making.later(days=7))
    assert "Versand" in row.title
    assert found(assistant, "Österreich Spedition") == [row.title]
    assert refreshing.read_due() is False


def test_the_same_words_only_move_the_moment(
    workspace: int, assistant: int, site: Provider, now: list[datetime]
) -> None:
    url = site.put("/versand", PAGE.encode(), HTML)
    entry = add(workspace, assistant, url, "Our title")
    refreshing.read_due()
    with db.read() as session:
        before = [one.id for one in entries.passages_of(session, entry)]
    version = making.knowledge_version(assistant)
    now[0] = making.later(days=8)
    assert refreshing.read_due()
    row = making.kept(entry)
    assert (row.title, row.checked_at, row.due_at) == ("Our title", now[0], now[0] + timedelta(days=7))
    assert making.knowledge_version(assistant) == version
    with db.read() as session:
        assert [one.id for one in entries.passages_of(session, entry)] == before
    site.put("/versand", PAGE.replace("14 €", "16 €").encode(), HTML)
    now[0] = making.later(days=16)
    assert refreshing.read_due()
    assert "16 €" in making.kept(entry).text
    assert making.knowledge_version(assistant) > version


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_not_used(
    workspace: int, assistant: int, site: Provider, now: list[datetime], status: int
) -> None:
    url = site.put("/versand", PAGE.encode(), HTML)
    entry = add(workspace, assistant, url, "Versand")
    refreshing.read_due()
    assert found(assistant, "Österreich Spedition") == ["Versand"]
    site.put("/versand", PAGE.encode(), HTML, status=status)
    checked, now[0] = now[0], making.later(days=8)
    refreshing.read_due()
    assert state(entry) == (EntryState.GONE, "page_gone")
    assert making.kept(entry).checked_at == checked
    assert found(assistant, "Österreich Spedition") == []
    site.put("/versand", PAGE.encode(), HTML)
    now[0] = making.later(days=16)
    refreshing.read_due()
    assert state(entry) == (EntryState.READY, None)
    assert found(assistant, "Österreich Spedition") == ["Versand"]


def test_a_page_that_fails_is_tried_again_and_given_up(
    workspace: int, assistant: int, site: Provider, now: list[datetime]
) -> None:
    url = site.put("/versand", PAGE.encode(), HTML)
    entry = add(workspace, assistant, url, "Versand")
    refreshing.read_due()
    site.put("/versand", b"sorry", HTML, status=500)
    now[0] = making.later(days=8)
    pauses = []
    for _number in range(3):
        assert refreshing.read_due()
        row = making.kept(entry)
        assert state(entry) == (EntryState.READY, "page_failed")
        assert row.due_at is not None
        pauses.append(row.due_at - now[0])
        assert refreshing.read_due() is False
        now[0] = row.due_at
    assert pauses == sorted(set(pauses))
    assert found(assistant, "Österreich Spedition") == ["Versand"]
    assert refreshing.read_due()
    assert state(entry) == (EntryState.FAILED, "page_failed")
    assert found(assistant, "Österreich Spedition") == []
    assert len(site.asked) == 5


@pytest.mark.parametrize(
    ("path", "body", "kind", "given", "expected"),
    [
        ("/a.zip", b"PK", "application/zip", {}, (EntryState.WAITING, "page_failed")),
        ("/image", PAGE.encode(), "image/png", {}, (EntryState.WAITING, "page_failed")),
        ("/bare", b"<html></html>", HTML, {}, (EntryState.WAITING, "page_empty")),
        ("/big", b"x" * (5 * 1024 * 1024 + 1), HTML, {}, (EntryState.WAITING, "page_large")),
        (
            "/loop",
            b"",
            HTML,
            {"status": 302, "headers": {"Location": "/loop"}},
            (EntryState.WAITING, "page_failed"),
        ),
        (
            "/inside",
            b"",
            HTML,
            {"status": 302, "headers": {"Location": "http://169.254.169.254/latest"}},
            (EntryState.FAILED, "page_forbidden"),
        ),
        ("/notes", "Wörter über Ton".encode(), "text/plain; charset=utf-8", {}, (EntryState.READY, None)),
        ("/prices.pdf", papers.pdf("Mugs cost 20"), "application/pdf", {}, (EntryState.READY, None)),
    ],
)
def test_what_is_no_page_of_words_is_refused(
    workspace: int,
    assistant: int,
    site: Provider,
    now: list[datetime],
    path: str,
    body: bytes,
    kind: str,
    given: dict[str, object],
    expected: tuple[str, str | None],
) -> None:
    entry = add(workspace, assistant, site.put(path, body, kind, **given))
    assert refreshing.read_due()
    assert state(entry) == expected


def test_a_redirect_is_followed(workspace: int, assistant: int, site: Provider, now: list[datetime]) -> None:
    site.put("/new", PAGE.encode(), HTML)
    url = site.put("/old", b"", HTML, status=301, headers={"Location": "/new"})
    entry = add(workspace, assistant, url)
    refreshing.read_due()
    assert state(entry) == (EntryState.READY, None)


def test_private_addresses_are_not_reached(workspace: int, assistant: int, now: list[datetime]) -> None:
    for url in (
        "https://127.0.0.1/",
        "http://example.com/",
        "https://user:secret@example.com/",
        "file:///etc/passwd",
    ):
        assert not extraction.allows(url) or url == "https://127.0.0.1/"
    entry = add(workspace, assistant, "https://127.0.0.1/")
    refreshing.read_due()
    assert state(entry) == (EntryState.FAILED, "page_forbidden")


def test_a_page_deleted_while_it_is_read_stays_deleted(
    workspace: int, assistant: int, site: Provider, now: list[datetime]
) -> None:
    def delete() -> None:
        do(entries.delete, workspace, assistant, entry)

    entry = add(workspace, assistant, site.put("/versand", PAGE.encode(), HTML, before=delete))
    assert refreshing.read_due()
    with db.read() as session:
        assert session.get(KnowledgeEntry, entry) is None


def test_a_page_is_one_processs_to_read(
    workspace: int, assistant: int, site: Provider, now: list[datetime]
) -> None:
    again: list[bool] = []
    url = site.put("/versand", PAGE.encode(), HTML, before=lambda: again.append(refreshing.read_due()))
    add(workspace, assistant, url)
    refreshing.read_due()
    assert again == [False]
