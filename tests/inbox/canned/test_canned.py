"""Canned replies: whose they are, what is kept of them, their files, and sending with one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db, storage
from host.core.db import Database
from host.inbox import variables
from host.inbox.canned import replies
from host.inbox.canned.models import CannedFile, CannedReply
from host.inbox.canned.replies import (
    ANY,
    CannedReplyError,
    CannedReplyInput,
    CannedReplyNotFoundError,
    SharedReplyError,
    Viewer,
)
from host.inbox.teams.models import Team, TeamMember
from host.inbox.variables import VariableError
from host.media import file_removal, uploads
from host.models.inbox import Attachment, Message
from host.models.media import Upload
from host.models.users import AuditEntry, Role
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.media import samples

TEXT = 'Hello {{contact.first_name || "there"}}, parcel {{ask: number}}. {{agent.first_name}}'


@pytest.fixture
def desk(database: Database, data: Path, tmp_path: Path) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return open_desk(data, toys.RICH)


@pytest.fixture
def anywhere(any_database: Database) -> int:
    return toys.make_workspace()


def made(workspace: int, who: Viewer, shortcut: str = "parcel", **values: Any) -> int:
    values.setdefault("texts", {ANY: TEXT})
    wanted = CannedReplyInput(shortcut, values.pop("title", "Parcel"), **values)
    return do(replies.create, workspace, wanted, who).id


def sees(workspace: int, who: Viewer, search: str = "") -> list[str]:
    with db.read() as session:
        return [one.shortcut for one in replies.listing(session, workspace, who, search=search)]


def team(workspace: int, *members: tuple[int, bool]) -> int:
    def use_case(session: Any) -> int:
        row = Team(workspace_id=workspace, name="Shop", name_key=f"{workspace:064d}", created_at=clock.now())
        session.add(row)
        session.flush()
        for user_id, lead in members:
            session.add(
                TeamMember(
                    team_id=row.id, user_id=user_id, workspace_id=workspace, lead=lead, since=clock.now()
                )
            )
        return row.id

    return db.write(use_case)


def test_each_sees_and_changes_what_is_theirs(anywhere: int) -> None:
    lead, agent, other = (Viewer(toys.make_user(anywhere), keeps=keeps) for keeps in (True, False, False))
    heads = team(anywhere, (agent.user_id or 0, True), (other.user_id or 0, False))
    made(anywhere, lead, "all")
    teams = made(anywhere, agent, "team", team_id=heads)
    mine = made(anywhere, agent, "mine", own=True)
    assert sees(anywhere, lead) == ["all", "team"]
    assert sees(anywhere, agent) == ["all", "team", "mine"]
    assert sees(anywhere, other) == ["all", "team"]
    assert sees(anywhere, Viewer(None, keeps=True)) == ["all", "team"]
    assert sees(toys.make_workspace("Other"), lead) == []
    for wanted in (
        CannedReplyInput("x", "X", {ANY: "x"}),
        CannedReplyInput("x", "X", {ANY: "x"}, team_id=heads),
    ):
        with pytest.raises(SharedReplyError):
            do(replies.create, anywhere, wanted, other)
    with pytest.raises(SharedReplyError):
        do(replies.delete, anywhere, teams, other)
    with pytest.raises(CannedReplyNotFoundError):
        do(replies.delete, anywhere, mine, other)
    with pytest.raises(CannedReplyError) as refused:
        made(anywhere, lead, "x", team_id=heads + 1)
    assert refused.value.field == "team"
    db.write(lambda session: session.execute(sa.delete(Team).where(Team.id == heads)))
    assert sees(anywhere, other) == ["all", "team"], "what a deleted team wrote is everybody's"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"shortcut": "two words"}, "shortcut"),
        ({"shortcut": "/"}, "shortcut"),
        ({"shortcut": "x" * 33}, "shortcut"),
        ({"shortcut": "PARCEL"}, "shortcut"),
        ({"title": " "}, "title"),
        ({"title": "x" * 81}, "title"),
        ({"texts": {ANY: " "}}, "texts"),
        ({"texts": {"Deutsch": "x"}}, "texts"),
        ({"texts": {ANY: "x" * 20_001}}, "texts"),
    ],
)
def test_what_is_missing_or_taken_is_said_and_nothing_is_kept(
    database: Database, values: dict[str, Any], field: str
) -> None:
    workspace = toys.make_workspace()
    who = Viewer(toys.make_user(workspace), keeps=True)
    made(workspace, who, "/parcel")
    with pytest.raises(CannedReplyError) as refused:
        made(workspace, who, **{"shortcut": "other", **values})
    assert refused.value.field == field
    with pytest.raises(VariableError):
        made(workspace, who, "other", texts={"de": "{{contact.nme}}"})
    assert sees(workspace, who) == ["parcel"]
    made(workspace, who, "parcel", own=True)  # one's own may be called as everybody's


def test_the_most_used_come_first_and_words_are_found(anywhere: int) -> None:
    who = Viewer(toys.make_user(anywhere), keeps=True)
    first = made(anywhere, who, "one")
    second = made(anywhere, who, "two", texts={ANY: "Übergabe", "de": "Zwei"})
    db.write(replies.note_used, anywhere, [second, second, 999], clock.now())
    db.write(replies.note_used, toys.make_workspace("Other"), [first], clock.now())
    assert sees(anywhere, who) == ["two", "one"]
    assert [(one.uses, one.used_at is None) for one in toys.everything(CannedReply)] == [
        (0, True),
        (1, False),
    ]
    assert sees(anywhere, who, "zwei überg") == ["two"]
    assert sees(anywhere, who, "/one parcel") == ["one"]
    assert sees(anywhere, who, "nothing") == []


@pytest.mark.parametrize(
    ("languages", "chosen"),
    [(["de"], "de"), (["de_DE", "en"], "de"), (["fr", "pt-BR"], "pt-BR"), (["fr"], ANY), ([], ANY)],
)
def test_the_customers_language_is_offered_first(languages: list[str], chosen: str) -> None:
    texts = {ANY: "1", "de": "2", "pt-BR": "3"}
    assert replies.preferred(texts, languages) == chosen
    assert replies.preferred({"sv": "1", "fi": "2"}, languages) == "fi"


def test_a_person_makes_one_in_settings_and_sends_it(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa", "Rosa\n<b>Sample</b>", "Where is it?", scene.now)
    lead = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.LEAD))
    at = f"/w/{desk.workspace}/settings/canned"
    form: dict[str, Any] = {
        "whose": "all",
        "shortcut": "parcel",
        "title": "Parcel <is> on its way",
        "language": ["default", "de"],
        "text": [TEXT, "{{contact.nme}}"],
        "files": "1",
    }

    def post(path: str, **more: Any) -> Any:
        file = [(io.BytesIO(samples.PDF), "map.pdf"), (io.BytesIO(samples.AAC), "a.aac")]
        return lead.post(path, data={"csrf_token": lead.csrf(), **form, **more, "file": file})

    refused = post(f"{at}/new")
    assert refused.status_code == 400
    assert "“contact.nme” in line 1 is not a variable" in refused.text
    assert "map.pdf" in refused.text
    assert 'name="upload"' in refused.text, "files that came along are still there"
    shown = post(f"{at}/new", text=[TEXT, "Hallo"], preview="1")
    assert '<span class="var is-set">Rosa</span>' in shown.text
    assert '<span class="var">number</span>' in shown.text
    assert toys.everything(CannedReply) == []
    assert post(f"{at}/new", text=[TEXT, "Hallo"]).status_code == 303
    canned = toys.only(CannedReply)
    assert canned.texts == {"default": TEXT, "de": "Hallo"}
    listed = desk.browser.get(at).text
    assert "Parcel &lt;is&gt; on its way" in listed
    assert desk.browser.post_form(f"{at}/{canned.id}", whose="all", shortcut="mine").status_code == 403
    file = toys.everything(CannedFile)[0]
    assert desk.browser.get(f"{at}/{canned.id}/files/{file.id}").data == samples.PDF

    conversation = desk.path(f"/{scene.conversation('rosa')}")
    (offered,) = desk.browser.get(f"{conversation}/canned").json["replies"]
    filled = offered["texts"]["default"]["text"]
    assert filled == "Hello Rosa, parcel {{ask: number}}. Mia"
    assert offered["refused"] == ["a.aac: This channel does not support AAC files."]
    assert offered["whose"] == "Everyone"
    json = {"Accept": "application/json"}
    taken = desk.browser.post(
        f"{conversation}/canned/{canned.id}/files", data={"csrf_token": desk.browser.csrf()}, headers=json
    )
    assert [one["name"] for one in taken.json["files"]] == ["map.pdf"]
    fields = {
        "csrf_token": desk.browser.csrf(),
        "text": filled,
        "canned": [str(canned.id), "999"],
        "upload": taken.json["files"][0]["id"],
        "reply_key": "canned-reply-1",
    }
    blocked = desk.browser.post(f"{conversation}/reply", data=fields, headers=json)
    assert (blocked.status_code, blocked.json["error"]["code"]) == (400, "unfilled")
    assert "Fill in “number” before you send" in blocked.json["error"]["message"]
    fields["text"] = filled.replace("{{ask: number}}", "10482 {{ theirs }}")
    for _ in range(2):
        assert desk.browser.post(f"{conversation}/reply", data=fields, headers=json).status_code == 200
    assert [one.text for one in toys.everything(Message)][1:] == [
        "",
        "Hello Rosa, parcel 10482 {{ theirs }}. Mia",
    ]
    assert toys.only(CannedReply).uses == 1, "a repeated press counts once"
    assert lead.post_form(f"{at}/{canned.id}/delete").status_code == 303
    kept = toys.only(Attachment).storage_key
    file_removal.remove_noted()
    assert storage.current().size(kept) == len(samples.PDF), "what was sent stays"
    actions = {one.action for one in toys.everything(AuditEntry)}
    assert {"canned_reply.added", "canned_reply.deleted"} <= actions


def test_files_go_with_their_reply_and_stay_as_long_as_something_names_them(desk: Desk) -> None:
    who = Viewer(desk.mia.id, keeps=True)
    whose = {"workspace_id": desk.workspace, "user_id": desk.mia.id}
    upload = uploads.keep_upload(io.BytesIO(samples.PDF), "map.pdf", **whose)
    canned = made(desk.workspace, who, uploads=(upload.id,))
    with clock.travel(uploads.KEPT * 2):
        file_removal.Cleaner().clean_up()
        assert toys.everything(Upload) == []
        assert storage.current().size(upload.storage_key) is not None
    wanted = CannedReplyInput("parcel", "Parcel", {}, keep=frozenset())
    with pytest.raises(CannedReplyError):
        do(replies.change, desk.workspace, canned, wanted, who)
    wanted = CannedReplyInput("parcel", "Parcel", {ANY: "x"}, keep=frozenset())
    do(replies.change, desk.workspace, canned, wanted, who)
    assert toys.everything(CannedFile) == []
    assert storage.current().size(upload.storage_key) is None


def test_a_waiting_text_is_not_edited_into_one_with_something_open(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("rosa", "Rosa", "Hello", scene.now)
    (message,) = scene.reply("rosa", "Fine", scene.now)
    at = desk.path(f"/{scene.conversation('rosa')}/messages/{message}/edit")
    desk.browser.post_form(at, text="Fine {{ask: number}}")
    assert toys.everything(Message)[-1].text == "Fine"
    desk.browser.post_form(at, text="Fine {{number}}")
    assert toys.everything(Message)[-1].text == "Fine {{number}}"
    assert variables.unfilled("Fine {{number}}") == []
