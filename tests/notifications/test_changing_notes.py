"""Private notes that their author edits or deletes: who may, who hears of it, two tabs, in the API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.events.kinds.conversations import NOTE_DELETED, NOTE_EDITED
from host.events.models import ActorKind, DomainEvent
from host.inbox import notes
from host.inbox.errors import (
    EmptyTextError,
    MessageNotFoundError,
    NotAuthorError,
    NoteChangedError,
    NoteDeletedError,
    TooLongError,
)
from host.inbox.mentions import MentionError
from host.models.inbox import Message
from host.models.mentions import Mention
from host.models.notifications import Notification
from host.models.search import DocumentKind
from host.models.users import AuditEntry, User
from host.search.postings import kept
from host.users.actor import Actor
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.notifications.telling import mention, tell, told
from tests.notifications.test_telling import limit, team
from tests.search.desk import find, read_record


@pytest.fixture
def bo(desk: Desk) -> int:
    return helpers.make_user(name="Bo T.", workspace=desk.workspace).id


def as_user(user_id: int) -> Actor:
    return Actor(ActorKind.USER, user_id)


def edit(desk: Desk, note_id: int, text: str, **values: Any) -> None:
    values = {"actor": as_user(desk.mia.id), "typed": True, **values}
    do(notes.edit_note, desk.workspace, note_id, text=text, **values)


def delete(desk: Desk, note_id: int, **values: Any) -> None:
    do(notes.delete_note, desk.workspace, note_id, **({"actor": as_user(desk.mia.id)} | values))


def by_script(browser: helpers.Browser, path: str, **fields: str) -> Any:
    form = {"csrf_token": browser.csrf(), **fields}
    return browser.post(path, data=form, headers={"Accept": "application/json"})


def stored(note_id: int) -> Message:
    with db.read() as session:
        return session.get_one(Message, note_id)


def events(note_id: int) -> list[str]:
    with db.read() as session:
        query = sa.select(DomainEvent.kind).where(DomainEvent.message_id == note_id, DomainEvent.kind != "")
        return [str(kind) for kind in session.scalars(query.order_by(DomainEvent.id))]


def audited() -> list[str]:
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.action.like("note.%"))
        return list(session.scalars(query.order_by(AuditEntry.id)))


def mentioned(note_id: int) -> dict[int, bool]:
    return {
        one.user_id: one.seen_at is not None
        for one in toys.everything_of(Mention)
        if one.message_id == note_id
    }


def test_an_edited_note_says_so_and_is_recorded_once(desk: Desk, scene: Scene) -> None:
    note = mention(scene, "ana", "Paid by crad", desk.mia.id)
    edit(desk, note, "Paid by card  ", version=0)
    edit(desk, note, "Paid by card", version=0)  # the same form, sent twice
    found = stored(note)
    assert (found.text, found.edit_count) == ("Paid by card", 1)
    assert found.edited_at is not None
    assert events(note) == ["note.added", NOTE_EDITED]
    assert audited() == ["note.edited"]
    page = desk.browser.get(desk.path(f"/{scene.conversation('ana')}")).text
    assert "Paid by card" in page
    assert "Paid by crad" not in page
    assert "Edited " in page


def test_of_two_tabs_the_later_one_is_asked(desk: Desk, scene: Scene) -> None:
    note = mention(scene, "ana", "First", desk.mia.id)
    edit(desk, note, "From one tab", version=0)
    with pytest.raises(NoteChangedError) as caught:
        edit(desk, note, "From the other tab", version=0)
    assert (caught.value.text, caught.value.version) == ("From one tab", 1)
    assert stored(note).text == "From one tab"
    edit(desk, note, "From the other tab", version=caught.value.version)
    assert stored(note).text == "From the other tab"


def test_a_page_is_given_the_other_text(desk: Desk, scene: Scene) -> None:
    note = mention(scene, "ana", "First", desk.mia.id)
    edit(desk, note, "<b>From one tab</b>", version=0)
    path = desk.path(f"/{scene.conversation('ana')}/notes/{note}/edit")
    answer = by_script(desk.browser, path, text="From the other", version="0")
    assert answer.status_code == 409
    error = answer.get_json()["error"]
    assert (error["code"], error["text"], error["version"]) == ("note_changed", "<b>From one tab</b>", 1)
    plain = desk.browser.post_form(path, text="From the other", version="0")
    assert plain.status_code == 303
    for version in ("", "x", "-1", "9" * 30):
        # A form without a readable version is asked like one that is behind: it may not overwrite.
        refused = by_script(desk.browser, path, text="Else", version=version)
        assert (refused.status_code, refused.get_json()["error"]["version"]) == (409, 1)
    assert stored(note).text == "<b>From one tab</b>"


@pytest.mark.parametrize(
    ("text", "error"),
    [("", EmptyTextError), (" \n\t", EmptyTextError), ("x" * (notes.MAX_LENGTH + 1), TooLongError)],
)
def test_a_text_that_cannot_be_saved_changes_nothing(
    desk: Desk, scene: Scene, text: str, error: type[Exception]
) -> None:
    note = mention(scene, "ana", "As it was", desk.mia.id)
    with pytest.raises(error):
        edit(desk, note, text, version=0)
    assert (stored(note).text, stored(note).edit_count) == ("As it was", 0)


def test_the_longest_note_can_be_edited(desk: Desk, scene: Scene) -> None:
    note = mention(scene, "ana", "Short", desk.mia.id)
    edit(desk, note, "🥣" * notes.MAX_LENGTH, version=0)
    assert stored(note).text == "🥣" * notes.MAX_LENGTH


def test_only_its_author_changes_a_note(desk: Desk, scene: Scene, bo: int) -> None:
    note = mention(scene, "ana", "Mine", desk.mia.id)
    for actor in (as_user(bo), Actor(ActorKind.KEY, name="Shop"), Actor(ActorKind.SYSTEM)):
        with pytest.raises(NotAuthorError):
            edit(desk, note, "Not mine", actor=actor)
        with pytest.raises(NotAuthorError):
            delete(desk, note, actor=actor)
    assert (stored(note).text, stored(note).unsent_at) == ("Mine", None)
    path = desk.path(f"/{scene.conversation('ana')}")
    assert f"/notes/{note}/delete" in desk.browser.get(path).text
    other = helpers.client_for(desk.app, _user(bo))
    assert f"/notes/{note}/" not in other.get(path).text
    answer = by_script(other, f"{path}/notes/{note}/delete")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "not_the_author")


def _user(user_id: int) -> User:
    with db.read() as session:
        return session.get_one(User, user_id)


def test_what_is_no_note_there_is_not_found(desk: Desk, scene: Scene) -> None:
    note = mention(scene, "ana", "Mine", desk.mia.id)
    scene.said("jon", "Jon B.", "Hello", clock.now())
    (said,) = [one.id for one in toys.thread() if one.text == "Hello"]
    elsewhere = scene.conversation("jon")
    for number, conversation in ((said, None), (note, elsewhere), (10**12, None)):
        with pytest.raises(MessageNotFoundError):
            edit(desk, number, "Else", conversation_id=conversation)
        with pytest.raises(MessageNotFoundError):
            delete(desk, number, conversation_id=conversation)
    with pytest.raises(Exception, match="does not exist"):
        edit(desk, note, "Else", sees=frozenset())
    assert stored(note).text == "Mine"


def test_a_deleted_note_leaves_a_line(desk: Desk, scene: Scene, bo: int) -> None:
    note = mention(scene, "ana", "@Bo T. the PIN is blue-kiln-9", desk.mia.id)
    delete(desk, note)
    delete(desk, note)  # pressed twice
    found = stored(note)
    assert (found.text, found.content) == ("", {})
    assert mentioned(note) == {}
    assert events(note) == ["note.added", NOTE_DELETED]
    assert audited() == ["note.deleted"]
    page = helpers.client_for(desk.app, _user(bo)).get(desk.path(f"/{scene.conversation('ana')}")).text
    assert "blue-kiln-9" not in page
    assert f"{desk.mia.name} deleted a note, " in page
    with pytest.raises(NoteDeletedError):
        edit(desk, note, "Back again", version=0)
    assert stored(note).text == ""


def test_who_is_mentioned_newly_is_told_and_nobody_twice(desk: Desk, scene: Scene, bo: int) -> None:
    cy = helpers.make_user(name="Cy", workspace=desk.workspace).id
    note = mention(scene, "ana", "@Bo T. look", desk.mia.id)
    tell()
    assert (told(bo), told(cy)) == ([("mention", 1)], [])
    edit(desk, note, "@Bo T. and @Cy look", version=0)
    tell()
    assert (told(bo), told(cy)) == ([("mention", 1)], [("mention", 1)])
    edit(desk, note, "@Cy look here", version=1)
    tell()
    assert mentioned(note) == {cy: False}
    assert (told(bo), told(cy)) == ([], [("mention", 1)])
    delete(desk, note)
    tell()
    assert told(cy) == []
    with db.read() as session:
        waiting = sa.select(sa.func.count()).where(Notification.mail_due_at.is_not(None))
        assert session.scalar(waiting) == 0, "what was taken back is not mailed"


def test_a_name_taken_out_before_anybody_was_told_tells_nobody(desk: Desk, scene: Scene, bo: int) -> None:
    note = mention(scene, "ana", "@Bo T. look", desk.mia.id)
    edit(desk, note, "Never mind", version=0)
    tell()
    assert (mentioned(note), told(bo)) == ({}, [])
    assert "mentions" not in stored(note).content


def test_of_two_with_one_name_the_chosen_one_stays(desk: Desk, scene: Scene) -> None:
    twins = [helpers.make_user(name="Kim", workspace=desk.workspace).id for _ in range(2)]
    note = mention(scene, "ana", "@Kim look", desk.mia.id, twins[1])
    edit(desk, note, "@Kim look here", version=0)
    assert mentioned(note) == {twins[1]: False}


def test_an_edit_bears_that_somebody_lost_access(desk: Desk, scene: Scene, bo: int) -> None:
    note = mention(scene, "ana", "@Bo T. look", desk.mia.id)
    limit(bo, desk.workspace, toys.make_account(desk.workspace).id)
    edit(desk, note, "@Bo T. look here", version=0)
    assert (stored(note).text, mentioned(note)) == ("@Bo T. look here", {})
    far = helpers.make_user(name="Far", workspace=desk.workspace).id
    limit(far, desk.workspace, toys.make_account(desk.workspace).id)
    with pytest.raises(MentionError):
        edit(desk, note, "@Bo T. and @Far look", version=1)
    assert stored(note).text == "@Bo T. look here"


def test_a_team_taken_out_leaves_who_is_named_beside_it(desk: Desk, scene: Scene, bo: int) -> None:
    cy = helpers.make_user(name="Cy", workspace=desk.workspace).id
    team(desk, bo, cy, name="Kiln")
    note = mention(scene, "ana", "@Kiln and @Cy", desk.mia.id)
    assert mentioned(note) == {bo: False, cy: False}
    edit(desk, note, "@Cy", version=0)
    assert mentioned(note) == {cy: False}


def test_an_edited_note_is_found_by_what_it_says_now_and_a_deleted_one_by_nothing(
    desk: Desk, scene: Scene
) -> None:
    def found(word: str) -> list[int]:
        read_record()
        return [hit.id for hit in find(desk.workspace, word).hits]

    note = mention(scene, "ana", "cobalt glaze", desk.mia.id)
    assert found("cobalt") == [note]
    edit(desk, note, "celadon glaze", version=0)
    with db.read() as session:
        assert not kept(session.connection(), DocumentKind.MESSAGE, [note]), "gone with the write itself"
    assert (found("cobalt"), found("celadon"), found("is:note glaze")) == ([], [note], [note])
    delete(desk, note)
    with db.read() as session:
        assert not kept(session.connection(), DocumentKind.MESSAGE, [note])
    assert (found("celadon"), found("is:note")) == ([], [])


def test_two_edits_at_once_are_one_and_a_conflict(any_database: db.Database, tmp_path: Path) -> None:
    desk = open_desk(tmp_path)
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Hello", clock.now())
    note = mention(scene, "ana", "First", desk.mia.id)

    def save(text: str) -> str:
        try:
            edit(desk, note, text, version=0)
        except NoteChangedError:
            return ""
        return text

    with ThreadPoolExecutor(4) as pool:
        saved = [one for one in pool.map(save, [f"Text {number}" for number in range(4)]) if one]
    assert saved == [stored(note).text]
    assert stored(note).edit_count == 1
    delete(desk, note)
    assert stored(note).text == ""
