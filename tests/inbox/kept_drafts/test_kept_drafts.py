"""Drafts on the desk: saved, told apart by versions, sent, erased, removed with those whose they are."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.errors import InvalidError, TooLargeError
from host.events.models import DomainEvent
from host.inbox import erasure
from host.inbox.contacts import merging
from host.inbox.errors import ConversationNotFoundError
from host.inbox.kept_drafts import content, data, drafts
from host.inbox.kept_drafts.content import Content, Text
from host.inbox.kept_drafts.drafts import SavedDraft
from host.inbox.kept_drafts.models import KeptDraft, KeptDraftFile
from host.live.signals import Signals
from host.media import uploads
from host.media.file_removal import _remove_old_uploads
from host.models.inbox import Conversation
from host.models.media import Upload
from host.models.users import Membership, Role, User, Workspace
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


def saying(text: str, by: str = "laptop", mode: content.Mode = "reply") -> Content:
    return Content({mode: Text(text, by)})


class Place:
    """A conversation, and Mia who writes there."""

    def __init__(self) -> None:
        self.workspace = toys.make_workspace()
        toys.apply(toys.make_account(self.workspace), toys.received("Hello"))
        self.conversation: int = toys.only(Conversation).id
        self.mia = toys.make_user(self.workspace)

    def save(
        self, content_: Content, version: int = 0, *, user: int | None = None, **more: Any
    ) -> SavedDraft:
        values = {"workspace_id": self.workspace, "conversation_id": self.conversation, "accounts": None}
        values |= {"user_id": user or self.mia, "now": clock.now()}
        return db.write(drafts.save, version=version, content=content_, **(values | more))

    def read(self, user: int | None = None) -> SavedDraft:
        with db.read() as session:
            return drafts.read(session, user or self.mia, self.conversation)


@pytest.fixture
def anywhere(any_database: db.Database) -> Place:
    return Place()


@pytest.fixture
def place(database: db.Database) -> Place:
    return Place()


def test_a_draft_is_saved_read_and_changed_everywhere(anywhere: Place) -> None:
    assert anywhere.read() == SavedDraft(0, content.EMPTY)
    first = anywhere.save(saying("Hi 🫖 "))
    assert not first.newer
    assert anywhere.read() == first
    second = anywhere.save(saying("Hi 🫖 there"), first.version)
    assert second.version == first.version + 1
    assert anywhere.read().content.texts["reply"].text == "Hi 🫖 there"
    assert len(toys.everything_of(KeptDraft)) == 1


def test_a_device_with_an_old_copy_is_given_the_newer_one(anywhere: Place) -> None:
    first = anywhere.save(saying("One"))
    second = anywhere.save(saying("From the phone", "phone"), first.version)
    refused = anywhere.save(saying("From the laptop"), first.version)
    assert refused.newer
    assert (refused.version, refused.content) == (second.version, second.content)
    fresh = anywhere.save(saying("From a new tab", "tab"))
    assert fresh.newer
    assert fresh.content == second.content
    assert anywhere.read() == SavedDraft(second.version, second.content)


def test_of_devices_that_save_at_once_exactly_one_wins(anywhere: Place) -> None:
    for version in (0, None):
        base = anywhere.read().version if version is None else version
        found: list[SavedDraft] = []
        barrier = threading.Barrier(4)

        def save(
            name: str, base: int = base, barrier: threading.Barrier = barrier, found: list[SavedDraft] = found
        ) -> None:
            barrier.wait()
            found.append(anywhere.save(saying(f"Text of {name}", name), base))

        threads = [threading.Thread(target=save, args=(f"device {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        (winner,) = [one for one in found if not one.newer]
        assert anywhere.read() == SavedDraft(winner.version, winner.content)


def test_the_row_of_a_draft_that_was_emptied_still_refuses_old_copies(place: Place) -> None:
    first = place.save(saying("One"))
    emptied = place.save(content.EMPTY, first.version)
    late = place.save(saying("One, late"), first.version)
    assert late == SavedDraft(emptied.version, content.EMPTY, newer=True)
    assert not place.save(saying("Another"), emptied.version).newer


def test_a_version_of_a_removed_row_fits_no_later_one(place: Place) -> None:
    first = place.save(saying("One"))
    assert db.write(drafts.remove_old, clock.now() + timedelta(seconds=1), 10) == 1
    late = place.save(saying("Late"), first.version)
    assert late == SavedDraft(0, content.EMPTY, newer=True)
    assert place.save(saying("Anew")).version != first.version


def test_nothing_is_stored_for_nothing(place: Place) -> None:
    assert place.save(content.EMPTY) == SavedDraft(0, content.EMPTY)
    assert toys.everything_of(KeptDraft) == []


def test_what_is_sent_leaves_the_draft_and_the_rest_stays(anywhere: Place) -> None:
    both = Content(
        {"reply": Text("Answer"), "note": Text("Remember")},
        {"reply": [Text("Older", "phone")]},
        {"reply": {"post": "7"}},
    )
    kept = anywhere.save(both)

    def send(version: int | None) -> None:
        values = {"user_id": anywhere.mia, "conversation_id": anywhere.conversation, "mode": "reply"}
        db.write(drafts.sent, version=version, now=clock.now(), **values)

    for other in (None, 0, kept.version - 1, kept.version + 1):
        send(other)
        assert anywhere.read() == kept  # another device wrote meanwhile: that is not what was sent
    send(kept.version)
    left = anywhere.read()
    assert left.version == kept.version + 1
    assert left.content == Content({"note": Text("Remember")}, {"reply": [Text("Older", "phone")]})
    assert anywhere.save(both, kept.version).newer


def test_each_person_has_a_draft_of_their_own(place: Place) -> None:
    bo = toys.make_user(place.workspace, "Bo T.")
    place.save(saying("Mine"))
    place.save(saying("Bo's"), user=bo)
    assert [place.read(one).content.text() for one in (place.mia, bo)] == ["Mine", "Bo's"]


def test_a_draft_for_a_conversation_one_does_not_see_is_refused(place: Place) -> None:
    for more in (
        {"conversation_id": 999_999},
        {"accounts": frozenset({999})},
        {"workspace_id": toys.make_workspace("B")},
    ):
        with pytest.raises(ConversationNotFoundError):
            place.save(saying("Mine"), **more)
    assert toys.everything_of(KeptDraft) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"texts": {"reply": "plain"}}',
        '{"texts": {"shout": {"text": "x"}}}',
        '{"texts": {"reply": {"text": "\\ud800"}}}',
        '{"parts": {"reply": []}}',
        json.dumps({"others": {"reply": [{"text": "x"}] * (content.MOST_OTHERS + 1)}}),
        json.dumps({"texts": {"reply": {"text": "x", "by": "y" * 65}}}),
        '{"parts": {"reply": {"cards": ' + "[" * 30_000 + "]" * 30_000 + "}}}",
    ],
)
def test_a_malformed_draft_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        content.check(text)


def test_the_limit_counts_bytes(place: Place) -> None:
    frame = len(json.dumps({"texts": {"reply": {"text": ""}}}))
    fits = json.dumps({"texts": {"reply": {"text": "x" * (content.MOST_BYTES - frame)}}})
    assert not place.save(content.check(fits)).newer
    for too_long in (fits.replace("x", "xx", 1), fits.replace("x", "ü", 1), "x" * 100_000):
        with pytest.raises(TooLargeError):
            content.check(too_long)


def test_what_no_database_takes_is_cleaned_and_blanks_stay() -> None:
    found = content.check(
        '{"texts": {"reply": {"text": "a\\u0000b "}, "note": {"text": " "}},'
        ' "parts": {"reply": {}, "note": {"x\\u0000": ["\\u0000"]}}}'
    )
    assert found == Content({"reply": Text("ab ")}, {}, {"note": {"x": [""]}})


def test_what_a_later_release_stored_is_read_as_nothing(place: Place) -> None:
    place.save(saying("One"))
    db.write(lambda session: session.execute(sa.update(KeptDraft).values(content='{"texts": 7}')))
    assert place.read().content.is_empty


def test_no_event_is_written_and_open_pages_are_told(place: Place) -> None:
    events = len(toys.everything_of(DomainEvent))
    signals = Signals()

    def fresh() -> list[tuple[int, bool, bool]]:
        with db.read() as session:
            return [(one.version, one.data["empty"], to_all) for one, to_all in signals.fresh(session)]

    kept = place.save(saying("One"))
    assert fresh() == [(kept.version, False, True)]
    assert fresh() == []
    kept = place.save(saying("Two"), kept.version)
    assert fresh() == [(kept.version, False, False)]  # colleagues know that there is one
    kept = place.save(content.EMPTY, kept.version)
    assert fresh() == [(kept.version, True, True)]
    toys.change_row(Workspace, place.workspace, shows_drafts=True)
    kept = place.save(saying("Three"), kept.version)
    assert fresh() == [(kept.version, False, True)]
    kept = place.save(saying("Four"), kept.version)
    assert fresh() == [(kept.version, False, True)]
    assert len(toys.everything_of(DomainEvent)) == events


def test_colleagues_see_that_there_is_a_draft_and_its_text_where_they_may(anywhere: Place) -> None:
    bo = toys.make_user(anywhere.workspace, "Bo T.")

    def seen() -> list[tuple[str, str | None]]:
        with db.read() as session:
            found = drafts.of_colleagues(session, anywhere.workspace, anywhere.conversation, bo)
        return [(one.name, one.text) for one in found]

    assert seen() == []
    kept = anywhere.save(Content({"reply": Text("Secret")}, {"reply": [Text("Other", "phone")]}))
    anywhere.save(saying("Mine"), user=bo)
    assert seen() == [("Mia R.", None)]
    toys.change_row(Workspace, anywhere.workspace, shows_drafts=True)
    assert seen() == [("Mia R.", "Secret")]
    anywhere.save(content.EMPTY, kept.version)
    assert seen() == []


def test_a_draft_is_erased_with_the_customer(anywhere: Place) -> None:
    kept = anywhere.save(saying("About Ana"))
    contact = toys.only(Conversation).contact_id
    do(erasure.erase, anywhere.workspace, contact)
    left = anywhere.read()
    assert left.content.is_empty
    assert left.version > kept.version
    assert toys.only(KeptDraft).content == ""
    assert anywhere.save(saying("About Ana, from a phone that was away"), kept.version).newer


def test_a_draft_stays_with_a_conversation_whose_contact_is_merged(place: Place) -> None:
    account = toys.make_account(place.workspace, channel="other")
    toys.apply(account, toys.received("Hi", contact="ana2"))
    first, second = sorted(one.contact_id for one in toys.everything_of(Conversation))
    kept = place.save(saying("For Ana"))
    do(merging.merge, place.workspace, second, first)
    assert place.read() == kept
    assert not place.save(saying("For Ana, more"), kept.version).newer


def test_drafts_go_with_their_people_their_workspace_and_their_age(anywhere: Place) -> None:
    bo = toys.make_user(anywhere.workspace, "Bo T.")
    eve = toys.make_user(anywhere.workspace, "Eve")
    for user in (anywhere.mia, bo, eve):
        anywhere.save(saying("Text"), user=user)
    db.write(lambda session: session.execute(sa.delete(User).where(User.id == eve)))
    db.write(lambda session: session.execute(sa.delete(Membership).where(Membership.user_id == bo)))
    assert db.write(drafts.remove_departed, 10) == 1
    assert [one.user_id for one in toys.everything_of(KeptDraft)] == [anywhere.mia]
    data.clean_up(most=10)
    assert len(toys.everything_of(KeptDraft)) == 1
    with clock.travel(data.KEPT + timedelta(hours=1)):
        data.clean_up(most=10)
    assert toys.everything_of(KeptDraft) == []
    anywhere.save(saying("Text"))
    assert db.write(data.remove_workspace, anywhere.workspace, 10)
    assert db.write(data.remove_workspace, anywhere.workspace, 10) is None


def upload(place: Place, name: str, user: int | None = None) -> str:
    def use_case(session: Any) -> str:
        row = Upload(
            uuid=name,
            workspace_id=place.workspace,
            user_id=user or place.mia,
            kind="file",
            name="price list.pdf",
            content_type="application/pdf",
            size=3,
            storage_key=f"key-{name}",
            created_at=clock.now(),
        )
        session.add(row)
        session.flush()
        return str(row.uuid)

    return db.write(use_case)


def test_files_wait_for_as_long_as_a_draft_names_them(anywhere: Place) -> None:
    bo = toys.make_user(anywhere.workspace, "Bo T.")
    named, loose, foreign = (
        upload(anywhere, "named"),
        upload(anywhere, "loose"),
        upload(anywhere, "foreign", bo),
    )
    files = [{"id": one} for one in (named, foreign, "no-such", named)] + [{"id": 7}, "x"]
    kept = anywhere.save(Content({}, {}, {"reply": {"files": files}}))
    assert len(toys.everything_of(KeptDraftFile)) == 1

    def left() -> set[str]:
        while db.write(_remove_old_uploads):
            pass
        return {one.uuid for one in toys.everything_of(Upload)}

    assert left() == {named, loose, foreign}
    for hours in (13, 26, 39):
        with clock.travel(timedelta(hours=hours)):
            data.clean_up(most=10)
            found = left()
    assert found == {named}
    with clock.travel(timedelta(hours=40)):
        assert [one.name for one in db.write(uploads.attach, anywhere.workspace, [named])] == [
            "price list.pdf"
        ]
    anywhere.save(content.EMPTY, kept.version)
    assert toys.everything_of(KeptDraftFile) == []


# Through the page


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def here(desk: Desk) -> str:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(minutes=9))
    return desk.path(f"/{scene.conversation('ana')}")


def keep(desk: Desk, here: str, text: str, version: object = 0, by: str = "tab") -> Any:
    form = {"content": json.dumps({"texts": {"reply": {"text": text, "by": by}}}), "version": version}
    return send(desk.browser, f"{here}/draft", form)


def send(browser: Any, path: str, form: dict[str, Any]) -> Any:
    headers = {"Accept": "application/json", "X-CSRFToken": browser.csrf()}
    return browser.post(path, data=form, headers=headers)


def test_a_browser_saves_and_reads_its_draft(desk: Desk, here: str) -> None:
    first = keep(desk, here, "Hello")
    assert first.status_code == 200, first.text
    version = first.json["version"]
    found = desk.browser.get(f"{here}/draft").json
    assert found == {
        "version": version,
        "content": {"texts": {"reply": {"text": "Hello", "by": "tab"}}},
        "colleagues": [],
        "erased": "",
    }
    late = keep(desk, here, "Late", 0)
    assert late.status_code == 409
    assert late.json["version"] == version
    assert late.json["content"] == found["content"]


@pytest.mark.parametrize("version", ["", "x", "-1", str(2**53), "9" * 400])
def test_a_version_that_is_none_is_refused(desk: Desk, here: str, version: str) -> None:
    assert keep(desk, here, "Hello", version).status_code == 400
    assert toys.everything_of(KeptDraft) == []


def test_a_draft_of_100_kb_is_refused_with_a_sentence(desk: Desk, here: str) -> None:
    refused = keep(desk, here, "x" * 100_000)
    assert refused.status_code == 413
    assert refused.json["error"]["message"]
    assert toys.everything_of(KeptDraft) == []


@pytest.mark.parametrize("form", ["reply", "note"])
def test_what_was_sent_is_no_draft_any_more(desk: Desk, here: str, form: str) -> None:
    draft = {"content": json.dumps({"texts": {form: {"text": "Yes"}}}), "version": 0}
    saved = send(desk.browser, f"{here}/draft", draft)
    values = {"text": "Yes", "reply_key": "k" * 32, "draft_version": saved.json["version"]}
    assert send(desk.browser, f"{here}/{form}", values).status_code == 200
    assert toys.only(KeptDraft).content == ""


def test_a_draft_newer_than_what_was_sent_stays(desk: Desk, here: str) -> None:
    version = keep(desk, here, "Yes").json["version"]
    assert keep(desk, here, "Something else", version, by="phone").status_code == 200
    values = {"text": "Yes, we do", "reply_key": "k" * 32, "draft_version": version}
    assert send(desk.browser, f"{here}/reply", values).status_code == 200
    assert "Something else" in toys.only(KeptDraft).content


def test_what_was_written_below_what_was_sent_stays(desk: Desk, here: str) -> None:
    version = keep(desk, here, "First\nanswer.").json["version"]
    assert keep(desk, here, "First\nanswer.\n\nSecond one", version).status_code == 200
    values = {"text": "First\r\nanswer.", "reply_key": "k" * 32, "draft_version": version}
    assert send(desk.browser, f"{here}/reply", values).status_code == 200
    assert content.read(toys.only(KeptDraft).content).text() == "Second one"


def test_readers_see_whose_drafts_there_are_and_save_none(desk: Desk, here: str) -> None:
    keep(desk, here, "Hello")
    reader = helpers.client_for(
        desk.app, helpers.make_user(name="Rae", workspace=desk.workspace, role=Role.AUDITOR)
    )
    found = reader.get(f"{here}/draft").json
    assert [(one["name"], one["text"]) for one in found["colleagues"]] == [("Mia R.", None)]
    assert send(reader, f"{here}/draft", {"content": "{}", "version": 0}).status_code == 403


def test_the_workspace_decides_whether_drafts_are_read(desk: Desk, here: str) -> None:
    owner = helpers.client_for(
        desk.app, helpers.make_user(name="Olga", workspace=desk.workspace, role=Role.OWNER)
    )
    keep(desk, here, "Hello")
    page = f"/w/{desk.workspace}/settings/general"
    for choice, text in (("show", "Hello"), ("", None)):
        version = toys.only(Workspace).version
        send(owner, page, {"name": "Sample Pottery", "drafts": choice, "version": version})
        assert owner.get(f"{here}/draft").json["colleagues"][0]["text"] == text
