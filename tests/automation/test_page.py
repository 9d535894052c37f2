"""The page of an account's greeting and routing: what it saves, refuses and foretells."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation.deciding import GREETED, Sent
from host.core import clock, db
from host.core.backports.values import replace
from host.models.users import AuditEntry, Membership, Role
from host.sdk.channel import Capabilities, IceBreakerLimits
from host.sdk.messages import MessageKind
from tests import helpers
from tests.automation.automated import AWAY, GREETING, Automated, shut
from tests.inbox.toys import Toy


@pytest.fixture
def owner(automated: Automated) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=automated.desk.workspace, role=Role.OWNER)
    return helpers.client_for(automated.desk.app, person)


def path(desk: Automated) -> str:
    return f"/w/{desk.desk.workspace}/settings/channels/accounts/{desk.desk.account.id}/automation"


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def trace(page: str) -> str:
    (found,) = re.findall(r'<ol class="auto-trace">(.*?)</ol>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def form(**values: Any) -> dict[str, Any]:
    wanted = {"version": "0", "greeting": GREETING, "away": AWAY, "silence_days": "30", "to": "person"}
    return {**wanted, "known": "last", "greets_on": ["message", "tap"], **values}


@pytest.fixture
def stories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let customers send everything that any channel knows."""
    able = Capabilities(text_limit_bytes=100, receives=frozenset(MessageKind))
    monkeypatch.setattr(Toy, "capabilities", able)


@pytest.mark.usefixtures("stories")
def test_what_is_chosen_is_saved_and_noted(automated: Automated, owner: helpers.Browser) -> None:
    desk, team = automated, automated.team(automated.person("Ana"))
    chosen = form(greets="1", tells_away="1", routes="1", team=str(team), silence_days="60")
    assert owner.post_form(path(desk), **chosen).status_code == 303
    kept = desk.settings
    assert (kept.greets, kept.tells_away, kept.routes, kept.team_id) == (True, True, True, team)
    assert (kept.silence_days, sorted(kept.greets_on), kept.version) == (60, ["message", "tap"], 1)
    assert owner.post_form(path(desk), **{**chosen, "version": "1"}).status_code == 303
    assert desk.settings.version == 1, "nothing was changed"
    with db.read() as session:
        (entry,) = session.scalars(sa.select(AuditEntry).where(AuditEntry.action.like("%automation%")))
        assert entry.details["greeting"] == {"from": False, "to": True}
        assert "Hello" not in str(entry.details)
    refused = owner.post_form(path(desk), **form())
    assert refused.status_code == 409, "somebody saved since"
    assert desk.settings.version == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"greets": "1", "greeting": ""}, "A text is missing"),
        ({"greets": "1", "greeting": "Hello {{contact.name}}"}, "may be unknown"),
        ({"tells_away": "1", "away": "x" * 1001}, "1001 bytes"),
        ({"silence_days": "0"}, "from 1 to 365"),
        ({"silence_days": "many"}, "from 1 to 365"),
        ({"routes": "1"}, "none is selected"),
    ],
)
def test_what_cannot_be_is_refused_and_stays_typed(
    automated: Automated, owner: helpers.Browser, values: dict[str, str], words: str
) -> None:
    response = owner.post_form(path(automated), **form(**values))
    assert response.status_code == 400
    page = text(response)
    assert words in page
    assert values.get("greeting", GREETING) in page
    assert automated.settings.version == 0


def test_what_is_added_is_already_turned_on(automated: Automated, owner: helpers.Browser) -> None:
    def on(query: str = "") -> set[str]:
        page = text(owner.get(path(automated) + query))
        return set(re.findall(r'role="switch" id="[^"]+" name="([^"]+)" value="1" checked', page))

    assert on() == set()
    for part in ("greets", "tells_away", "routes"):
        assert on(f"?add={part}") == {part}
    assert on("?add=version") == set()
    assert automated.settings.version == 0, "nothing is saved yet"


def test_a_team_of_another_workspace_is_none(automated: Automated, owner: helpers.Browser) -> None:
    response = owner.post_form(path(automated), **form(routes="1", team="999999"))
    assert response.status_code == 404
    assert automated.settings.version == 0


def test_the_preview_says_what_the_desk_would_do(automated: Automated, owner: helpers.Browser) -> None:
    desk = automated
    team = desk.team(desk.person("Ana"))
    asked = form(greets="1", tells_away="1", routes="1", team=str(team), preview="1", who="new")
    page = text(owner.post_form(path(desk), **asked))
    said = trace(page)
    assert said.startswith("Open Within business hours Greeting New customer")
    assert "Hello Rosa , we answer soon ." in said
    assert said.endswith("Team Shop, then Ana On duty and waiting longest for a conversation")
    with shut(clock.now() + timedelta(hours=3)):
        said = trace(text(owner.post_form(path(desk), **asked)))
    assert "Closed until to" in said
    assert "No greeting The away message is sent instead Away message Outside business hours" in said
    assert said.endswith("Team Shop Outside the team’s working hours, so it waits")
    known = trace(text(owner.post_form(path(desk), **{**asked, "who": "known", "sent": "mention"})))
    assert "No greeting This kind of message needs no answer" in known
    assert desk.settings.version == 0
    assert desk.runs() == []


def test_only_owners_see_it(automated: Automated) -> None:
    agent = automated.desk.browser
    assert agent.get(path(automated)).status_code == 403
    assert agent.post_form(path(automated), **form()).status_code == 403


def test_a_member_goes_on_duty_and_off_in_their_menu(automated: Automated) -> None:
    desk = automated
    here = f"/w/{desk.desk.workspace}"

    def on() -> bool:
        with db.read() as session:
            row = session.get_one(Membership, (desk.desk.mia.id, desk.desk.workspace))
            return row.on_duty_since is not None

    assert "Off duty: go on duty" in text(desk.desk.browser.get(f"{here}/inbox"))
    answer = desk.desk.browser.post_form(f"{here}/duty", on="1", next=f"{here}/inbox?status=open")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{here}/inbox?status=open")
    assert on()
    assert "On duty: go off duty" in text(desk.desk.browser.get(f"{here}/inbox"))
    assert (
        desk.desk.browser.post_form(f"{here}/duty", next="//evil.example").headers["Location"]
        == f"{here}/inbox"
    )
    assert not on()


def test_a_thread_says_what_went_out_by_itself_and_why_somebody_has_it(automated: Automated) -> None:
    desk = automated
    team = desk.team(desk.person("Ana"))
    desk.set(greets=True, greeting="Hello!", routes=True, team_id=team)
    desk.said(text="Is it in stock?")
    desk.run()
    talk = desk.scene.conversation("ana")
    page = text(desk.desk.browser.get(desk.desk.path(f"/{talk}")))
    assert "Automatic" in page
    assert "Assigned to the team Shop: it gets the new conversations of this account" in page
    assert "Assigned to Ana: on duty and waiting longest for a conversation" in page


def ticks(page: str) -> list[str]:
    return re.findall(r'name="greets_on" value="(\w+)"', page)


def sent(page: str) -> list[str]:
    (select,) = re.findall(r'<select[^>]* name="sent".*?</select>', page, re.DOTALL)
    return re.findall(r'<option value="(\w+)"', select)


def test_a_greeting_offers_what_the_channel_can_do(automated: Automated, owner: helpers.Browser) -> None:
    page = text(owner.get(path(automated)))
    assert (ticks(page), sent(page)) == ([], ["message"]), "nothing to choose"
    assert "When someone sends" not in page
    assert owner.post_form(path(automated), **form(greets_on=["tap"])).status_code == 303
    assert automated.settings.greets_on == GREETED, "what is not offered is not chosen"


@pytest.mark.usefixtures("stories")
def test_a_channel_with_stories_offers_them(
    automated: Automated, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = text(owner.get(path(automated)))
    every = ["message", "story_reply", "tap", "mention"]
    assert (ticks(page), sent(page)) == (every, every)
    assert "a tap on a button" in page
    assert "ice breaker" not in page
    able = replace(Toy.capabilities, ice_breakers=IceBreakerLimits(4, 80, 1000))
    monkeypatch.setattr(Toy, "capabilities", able)
    assert "a tap on an ice breaker" in text(owner.get(path(automated)))


def test_a_stored_mention_stays_and_can_be_given_up(
    automated: Automated, owner: helpers.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = replace(Toy.capabilities, receives=frozenset(MessageKind))
    with monkeypatch.context() as before:
        before.setattr(Toy, "capabilities", able)
        owner.post_form(path(automated), **form(greets_on=["message", "story_reply", "mention"]))
    page = text(owner.get(path(automated)))
    assert ticks(page) == ["message", "mention"]
    owner.post_form(path(automated), **form(version="1", greets_on=["message"]))
    assert automated.settings.greets_on == {Sent.MESSAGE, Sent.STORY_REPLY}
    assert ticks(text(owner.get(path(automated)))) == []
