"""The journal's pages: for admins, page by page, with what is needed to see why a message is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from host.core import db
from host.models.queue import EventState
from host.queue import event_search, refusals
from host.queue.event_search import readable
from host.sdk.webhooks import Envelope
from host.users.audit import page as audit_page
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.helpers import Browser, StandInGeneration, build_app, client_for, make_user

Travel = Callable[[timedelta], None]


@pytest.fixture
def admin(desk: Desk, data: Path) -> Browser:
    app = build_app(data, generation=StandInGeneration(directory=desk.generation.directory))
    return client_for(app, make_user(is_admin=True))


def text(response: object) -> str:
    return response.get_data(as_text=True)  # type: ignore[attr-defined,no-any-return]


def test_only_admins_see_what_was_received(desk: Desk, data: Path, door: Door, admin: Browser) -> None:
    door.receive(desk.account.id, "a")
    somebody = client_for(admin.application, make_user())
    for path in ("/admin/journal", "/admin/journal/1"):
        assert somebody.get(path).status_code == 403
        assert admin.application.test_client().get(path).status_code in {302, 303, 401}
    assert somebody.post_form("/admin/journal/1/replay").status_code == 403
    assert admin.get("/admin/journal").status_code == 200


def test_each_event_is_listed_with_its_outcome(
    desk: Desk, door: Door, admin: Browser, travel: Travel
) -> None:
    desk.toy.broken["bad"] = ValueError("cannot <read> that")
    door.receive(desk.account.id, "good")
    door.receive(desk.account.id, "bad", contact="bert")
    desk.later(travel, timedelta(minutes=3))
    door.receive(None, "test", kind="test")
    page = text(admin.get("/admin/journal"))
    assert "ValueError: cannot &lt;read&gt; that" in page
    assert "toy100" in page
    assert "Acme" in page
    for word in ("Applied", "Failed", "Waiting"):
        assert word in page
    only_dead = text(admin.get("/admin/journal?state=dead"))
    assert "cannot &lt;read&gt; that" in only_dead
    assert '/admin/journal/1"' not in only_dead


@pytest.mark.parametrize(
    "path",
    [
        "/admin/journal?state=nonsense",
        "/admin/journal?before=x",
        "/admin/journal?before=99999999999999999999999",
    ],
)
def test_a_query_that_makes_no_sense_is_refused_politely(admin: Browser, path: str) -> None:
    assert admin.get(path).status_code == 400


def test_long_journals_are_paged_without_gaps(
    desk: Desk, door: Door, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "PAGE", 4)
    for number in range(10):
        door.receive(desk.account.id, f"m{number}")
    seen: list[int] = []
    before = None
    for _ in range(3):
        with db.read() as session:
            page = event_search.page(session, before=before)
        before = page.older
        seen += [row.id for row in page.rows]
    assert (seen, before) == (list(range(10, 0, -1)), None)
    assert "before=7" in text(admin.get("/admin/journal"))


def test_an_event_is_shown_with_its_content_made_readable(desk: Desk, door: Door, admin: Browser) -> None:
    door.receive(desk.account.id, "a", text="<script>alert(1)</script>")
    page = text(admin.get("/admin/journal/1"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "&#34;kind&#34;: &#34;message&#34;" in page
    assert admin.get("/admin/journal/999").status_code == 404


def test_replay_puts_it_back_and_is_written_down(
    desk: Desk, door: Door, admin: Browser, travel: Travel
) -> None:
    desk.toy.broken["bad"] = ValueError("a bug")
    door.receive(desk.account.id, "bad")
    desk.later(travel, timedelta(minutes=3))
    assert "Replay" in text(admin.get("/admin/journal/1"))
    assert admin.post("/admin/journal/1/replay").status_code == 400, "no token, no replay"
    assert desk.event_states() == [EventState.DEAD]
    desk.toy.broken.clear()
    assert admin.post_form("/admin/journal/1/replay").status_code in {302, 303}
    desk.drain()
    assert desk.texts() == ["bad"]
    with db.read() as session:
        assert audit_page(session)[0][0].action == "event.replayed"
    assert admin.post_form("/admin/journal/1/replay").status_code == 409
    assert admin.post_form("/admin/journal/999/replay").status_code == 404


def test_what_was_never_believed_has_no_button(desk: Desk, door: Door, admin: Browser) -> None:
    one = Envelope(desk.account.id, "anna", "k", "message", b"{}", set_aside="signed by another account")
    door.journal.ingest(source="/x", channel="email", raw=b"", remote="", envelopes=[one])
    page = text(admin.get("/admin/journal/1"))
    assert "signed by another account" in page
    assert 'action="/admin/journal/1/replay"' not in page
    assert admin.post_form("/admin/journal/1/replay").status_code == 409


def test_refused_requests_are_shown_on_top(database: db.Database, admin: Browser) -> None:
    assert "Refused" not in text(admin.get("/admin/journal"))
    refusals.count_refusal("email", None, "signature", "192.0.2.77")
    refusals.flush()
    page = text(admin.get("/admin/journal"))
    assert "signature" in page
    assert "192.0.2.77" in page


def test_bodies_that_are_no_json_are_shown_as_far_as_possible() -> None:
    assert readable(None) == (None, False)
    assert readable(b"\xff\x00plain") == ("\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}plain", False)
    assert readable(b'{"a":1}')[0] == '{\n  "a": 1\n}'
    assert readable(b"[" * 100_000)[1] is True
    assert readable(b'"\\ud800"')[0] == '"\N{REPLACEMENT CHARACTER}"'
    assert readable(b"1" * 10_000)[0] is not None
