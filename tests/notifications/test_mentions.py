"""Mentions in notes: chosen or typed, refused where they would not be seen, shown, listed, and in the API."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox import mentions, presence, queries
from host.inbox.mentions import MentionError, named_in
from host.models.inbox import InternalKind, Message, PresenceState
from host.models.mentions import Mention
from host.models.notifications import Notification
from host.models.users import User
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene
from tests.notifications.telling import again, mention, tell, told
from tests.notifications.test_telling import limit, team


@pytest.fixture
def bo(desk: Desk) -> int:
    return helpers.make_user(name="Bo T.", workspace=desk.workspace).id


def notes() -> list[Message]:
    return [one for one in toys.thread() if one.kind == InternalKind.NOTE]


def rows() -> list[tuple[int, bool]]:
    return [(one.user_id, one.seen_at is not None) for one in toys.everything_of(Mention)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@Bo T. look", {"bo t."}),
        ("(@bo t.)", {"bo t."}),
        ("@Mia Reuter and @Mia", {"mia reuter", "mia"}),
        ("mail me at shop@Mia", set()),
        ("@Miami", set()),
        ("@@Mia", set()),
        ("Mia", set()),
    ],
)
def test_a_name_behind_an_at_is_a_mention(text: str, found: set[str]) -> None:
    assert named_in(text, ["Bo T.", "Mia", "Mia Reuter"]) == found


def test_a_note_names_who_was_chosen_and_who_was_typed(desk: Desk, scene: Scene, bo: int) -> None:
    twins = [helpers.make_user(name="Kim", workspace=desk.workspace).id for _ in range(2)]
    path = desk.path(f"/{scene.conversation('ana')}")
    answer = desk.browser.post_form(
        f"{path}/note", text="@Bo T. and @Kim, is <b> it ready?", mention=[str(twins[1])], reply_key="k" * 8
    )
    assert answer.status_code == 303
    assert sorted(rows()) == sorted([(bo, False), (twins[1], False)]), "of two Kims the chosen one"
    (note,) = notes()
    assert sorted(one["id"] for one in note.content["mentions"]) == sorted([bo, twins[1]])
    page = helpers.client_for(desk.app, user(bo)).get(path).text
    assert '<mark class="mention mention-me" translate="no">@Bo T.</mark>' in page
    assert '<mark class="mention" translate="no">@Kim</mark>, is &lt;b&gt; it ready?' in page


def user(user_id: int) -> User:
    with db.read() as session:
        return session.get_one(User, user_id)


def test_who_does_not_see_the_account_is_not_mentioned_and_the_text_stays(
    desk: Desk, scene: Scene, bo: int
) -> None:
    limit(bo, desk.workspace, toys.make_account(desk.workspace).id)
    path = desk.path(f"/{scene.conversation('ana')}")
    for fields in ({"mention": str(bo)}, {}):
        answer = desk.browser.post_form(f"{path}/note", text="@Bo T., look", reply_key="k" * 8, **fields)
        assert answer.status_code == 400
        assert "Bo T. does not have access to this account, so the note was not saved." in answer.text
        assert "@Bo T., look</textarea>" in answer.text
    assert notes() == []
    listed = desk.browser.get(f"{path}/people").get_json()["people"]
    assert [(one["name"], one["reached"]) for one in listed] == [("Bo T.", False)]
    stranger = helpers.make_user(name="Not Here")
    with pytest.raises(MentionError):
        mention(scene, "ana", "look", desk.mia.id, stranger.id)


def test_a_mention_is_seen_by_looking(desk: Desk, scene: Scene, bo: int) -> None:
    scene.said("jon", "Jon B.", "Hello", clock.now())
    mention(scene, "ana", "@Bo T.", desk.mia.id)
    mention(scene, "ana", "@Mia R. is me", desk.mia.id)
    browser = helpers.client_for(desk.app, user(bo))
    mine = desk.path("?mentioned=me&status=any&shelf=any")
    page = browser.get(mine).text
    assert "<title>(1) " in page
    assert ("Ana Q." in page, "Jon B." in page, "Mentions you:" in page) == (True, False, True)
    assert "<title>(1) " not in desk.browser.get(mine).text, "one's own mention is no news"
    db.write(
        presence.be_present,
        workspace_id=desk.workspace,
        conversation_id=scene.conversation("ana"),
        user_id=bo,
        state=PresenceState.VIEWING,
        now=clock.now(),
        accounts=None,
    )
    page = browser.get(mine).text
    assert ("Ana Q." in page, "Mentions you:" in page, "<title>(1) " in page) == (True, False, False)
    assert rows() == [(bo, True)]


def bell(user_id: int) -> list[str]:
    with db.read() as session:
        rows = session.scalars(sa.select(Notification).where(Notification.user_id == user_id))
        return [one.sentence % one.details for one in rows]


def test_a_team_is_mentioned_and_each_of_it_is_told_once(desk: Desk, scene: Scene, bo: int) -> None:
    cy, far = (helpers.make_user(name=name, workspace=desk.workspace).id for name in ("Cy", "Far"))
    limit(far, desk.workspace, toys.make_account(desk.workspace).id)
    kiln = team(desk, bo, cy, far, desk.mia.id, name="Kiln")
    team(desk, cy, name="Glaze & Co")
    path = desk.path(f"/{scene.conversation('ana')}")
    listed = desk.browser.get(f"{path}/people").get_json()["teams"]
    assert [(one["name"], one["reached"]) for one in listed] == [("Glaze & Co", True), ("Kiln", True)]
    text = "@Bo T., @Kiln and @glaze & co: is it ready?"
    answer = desk.browser.post_form(f"{path}/note", text=text, mention_team=[str(kiln)], reply_key="k" * 8)
    assert answer.status_code == 303
    assert sorted(one.user_id for one in toys.everything_of(Mention)) == sorted([bo, cy]), (
        "whom it reaches, once each"
    )
    (note,) = notes()
    assert [one["name"] for one in note.content["teams"]] == ["Kiln", "Glaze & Co"]
    page = helpers.client_for(desk.app, user(bo)).get(path).text
    assert '<mark class="mention" translate="no">@Kiln</mark>' in page
    assert '<mark class="mention" translate="no">@glaze &amp; co</mark>' in page
    tell()
    again()
    assert told(bo) == told(cy) == [("mention", 1)]
    assert (told(far), told(desk.mia.id)) == ([], [])
    assert bell(bo) == ["Mia R. mentioned you in a note."], "who is named is told so"
    assert bell(cy) == ["Mia R. mentioned your team Kiln in a note."]


def test_a_team_of_which_nobody_sees_the_account_is_not_mentioned(desk: Desk, scene: Scene, bo: int) -> None:
    limit(bo, desk.workspace, toys.make_account(desk.workspace).id)
    kiln = team(desk, bo, name="Kiln")
    path = desk.path(f"/{scene.conversation('ana')}")
    for fields in ({"mention_team": str(kiln)}, {}):
        answer = desk.browser.post_form(f"{path}/note", text="@Kiln, look", reply_key="k" * 8, **fields)
        assert answer.status_code == 400
        assert "Nobody in the team Kiln has access to this account, so the note was not saved." in answer.text
    unknown = desk.browser.post_form(f"{path}/note", text="look", reply_key="k" * 8, mention_team="999")
    assert (unknown.status_code, notes()) == (400, [])
    helpers.make_user(name="KILN", workspace=desk.workspace)
    answer = desk.browser.post_form(f"{path}/note", text="@Kiln, look", reply_key="k" * 8)
    assert (answer.status_code, rows()) == (303, []), "a name of two is nobody's"


def test_what_mentions_one_and_was_not_looked_at_comes_first(
    desk: Desk, scene: Scene, bo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["Ada", "Ben", "Cal", "Dee", "Eve", "Fox"]
    for name in names:  # the last one wrote last
        scene.said(name, name, "Hello", clock.now())
        mention(scene, name, "@Bo T.", desk.mia.id)
    seen = ["Ada", "Dee", "Fox"]

    def see(session: Session) -> None:
        ids = [scene.conversation(name) for name in seen]
        session.execute(
            sa.update(Mention).where(Mention.conversation_id.in_(ids)).values(seen_at=clock.now())
        )

    db.write(see)
    monkeypatch.setattr(
        queries.list_conversations,
        "__kwdefaults__",
        {**queries.list_conversations.__kwdefaults__, "limit": 2},
    )
    browser = helpers.client_for(desk.app, user(bo))
    found: list[str] = []
    orders: list[str] = []
    query = ""
    for _ in range(3):
        page = browser.get(desk.path(f"?mentioned=me&status=any&shelf=any{query}")).text
        found += re.findall(r'data-name="(\w+)"', page)
        orders += re.findall(r'data-order="([\d-]+)"', page)
        more = re.search(r'data-more="([\d-]+)"', page)
        query = f"&before={more[1]}" if more else ""
    assert found == ["Eve", "Cal", "Ben", "Fox", "Dee", "Ada"]
    assert orders == sorted(orders, reverse=True), "a page that changes puts them there, too"
    assert not query


def test_at_most_twenty_people_are_mentioned(desk: Desk, scene: Scene) -> None:
    people = [helpers.make_user(name=f"P {n}", workspace=desk.workspace).id for n in range(mentions.MOST + 1)]
    with pytest.raises(MentionError):
        mention(scene, "ana", "all", desk.mia.id, *people)
    mention(scene, "ana", "most", desk.mia.id, *people[1:])
    assert len(rows()) == mentions.MOST
