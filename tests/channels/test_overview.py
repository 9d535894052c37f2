"""The overview of automation: what runs on which account, what stopped, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import assistants as assistant_keeping
from host.assistants import program_tools
from host.assistants.language import language_models
from host.assistants.language.language_models import ModelInput
from host.assistants.models import Assistant, EntryState, Mode
from host.assistants.values import Speaks
from host.automation import settings
from host.automation.deciding import Sent, Settings
from host.channels import button_payloads
from host.channels.directory import Directory
from host.core import clock, db
from host.core.backports.values import replace
from host.delivery import agent_messages
from host.features import registry
from host.inbox.drafts import Draft
from host.inbox.reply import Voice, queue_parts
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import DeliveryState
from host.models.users import MemberAccount, Membership, Role
from host.rules.models import RuleState
from host.sdk.rules import AssistantTool as AddonTool
from host.users.actor import UnitOfWork
from host.working_hours import hours
from tests import helpers
from tests.assistants import making, turns
from tests.channels.toy import ToyAdapter
from tests.helpers import do, work
from tests.inbox import toys
from tests.inbox.desks import open_desk
from tests.rules.below import WALL, Below
from tests.web.test_account_picker import counted, fill

CLOSE = {"do": "close"}
MOST_STATEMENTS = 40


class Table(HTMLParser):
    """The table of the page: each row's cells by their column, and the links in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, str]] = {}
        self.links: dict[tuple[str, str], str] = {}
        self.heads: list[str] = []
        self._row: dict[str, str] | None = None
        self._name = self._column = ""
        self._said: list[str] = []
        self._hidden = False
        self.feed(page.partition("<table")[2].partition("</table>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"td", "th"}:
            self._column, self._said = given.get("data-label") or "", []
        if tag == "a" and self._column:
            self.links[self._name, self._column] = given.get("href") or ""
        self._hidden = given.get("class") == "visually-hidden" or given.get("aria-hidden") == "true"

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        text = " ".join(self._said)
        if tag == "th" and self._row is None:
            self.heads.append(text)
        elif tag == "thead":
            self._row = {}
        elif tag == "th":
            self._name, self._row = self._said[0], {}
            self.rows[self._name] = self._row
        elif tag == "td" and self._row is not None:
            self._row[self._column] = text

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._hidden:
            self._said.append(" ".join(data.split()))


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off([])


@pytest.fixture
def desk(database: db.Database, data: Path) -> Below:
    return Below(open_desk(data, WALL, ToyAdapter()))


@pytest.fixture
def any_desk(any_database: db.Database, tmp_path: Path) -> Below:
    (tmp_path / "data").mkdir()
    return Below(open_desk(tmp_path / "data", WALL, ToyAdapter()))


def add_account(desk: Below, name: str, channel: str = "toy", **values: Any) -> int:
    return toys.make_account(desk.desk.workspace, channel, handle=name, **values).id


def owner_of(desk: Below) -> helpers.Browser:
    person = helpers.make_user(name="Olu O.", workspace=desk.desk.workspace, role=Role.OWNER)
    return helpers.client_for(desk.desk.app, person)


def address(desk: Below) -> str:
    return f"/w/{desk.desk.workspace}/settings/automation"


def shown(desk: Below, browser: helpers.Browser | None = None, query: str = "") -> tuple[str, Table]:
    answer = (browser or owner_of(desk)).get(address(desk) + query)
    assert answer.status_code == 200
    return answer.text, Table(answer.text)


def rename(desk: Below) -> None:
    """Name the two accounts of the desk apart."""

    def use_case(session: Session) -> None:
        session.get_one(ChannelAccount, desk.direct.id).handle = "direct"
        session.get_one(ChannelAccount, desk.wall.id).handle = "wall"

    db.write(use_case)


def set_hours(desk: Below) -> None:
    do(hours.save, desk.desk.workspace, None, week=[(hours.Span(540, 1020),)] * 7)


def test_each_account_shows_what_runs_there_on_each_database(any_desk: Below) -> None:
    desk = any_desk
    rename(desk)
    desk.set(greets=True, greeting="Hello", silence_days=14, away="Kept", tells_away=False)
    team = desk.team(desk.person("Lea K."), name="Care")
    desk.set(routes=True, team_id=team)
    of_direct = {"if": "conversation", "filter": {"account_id": desk.direct.id}}
    desk.rule(CLOSE, name="Everywhere")
    desk.rule(CLOSE, name="Direct only", conditions=[of_direct])
    desk.rule(CLOSE, name="Tried", state=RuleState.SHADOW, conditions=[of_direct])
    desk.campaign(name="Tide")
    desk.campaign(name="Old", until=clock.now().replace(year=2020))
    pia = turns.made(desk, "Pia")
    turns.put(desk, pia, Mode.SUGGEST)
    making.entry(desk.desk.workspace, pia, "Delivery", "Two days.")
    menu = add_account(desk, "Buttons")
    do(button_payloads.remember_payloads, desk.desk.workspace, menu, "menu", ["a", "b"])

    page, table = shown(desk)

    direct, wall, toy = (table.rows[name] for name in ("direct", "wall", "Buttons"))
    assert direct["Greeting"] == "Live again after 14 days"
    assert direct["Away"] == "Off"
    assert direct["Routing"] == "Care Live, to a person"
    assert direct["Ice breakers"] == "–"
    assert direct["Rules"] == "2 rules Live, 1 more"
    assert direct["Assistant"] == "Pia Suggests"
    assert wall["Rules"] == "Everywhere Live"
    assert wall["Campaigns"] == "Tide Live, 1 more"
    assert wall["Greeting"] == "Add"
    assert toy["Menu"] == "2 items Live"
    assert toy["Ice breakers"] == "Add"
    assert toy["Campaigns"] == "–"
    assert table.links["Buttons", "Ice breakers"].endswith(f"/accounts/{menu}/ice-breakers")
    assert table.links["wall", "Greeting"].endswith(
        f"/accounts/{desk.wall.id}/automation?add=greets#auto-greets"
    )
    assert "au-need" not in page


def test_comments_that_are_off_can_be_turned_on_for_campaigns(
    desk: Below, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(desk)
    monkeypatch.setattr(type(WALL), "beside", "toy")
    other = add_account(desk, "Buttons")
    _page, table = shown(desk)
    assert table.rows["Buttons"]["Campaigns"] == "Turn on " + WALL.label
    assert table.links["Buttons", "Campaigns"].endswith(f"#account-{other}")

    def turn_on(session: Session) -> None:
        session.get_one(ChannelAccount, desk.wall.id).beside_id = other
        session.get_one(ChannelAccount, other).beside_id = desk.wall.id

    db.write(turn_on)
    _page, table = shown(desk)
    assert table.rows["Buttons"]["Campaigns"].startswith("On " + WALL.label)
    assert table.links["Buttons", "Campaigns"] == table.links["wall", "Campaigns"]


def test_every_link_leads_to_a_page(desk: Below) -> None:
    desk.set(greets=True, greeting="Hello")
    desk.rule(CLOSE, name="Everywhere")
    desk.campaign(name="Tide")
    turns.put(desk, turns.made(desk, "Pia"))
    add_account(desk, "Buttons")
    browser = owner_of(desk)
    _page, table = shown(desk, browser)
    assert len(set(table.links.values())) > 10
    for url in sorted(set(table.links.values())):
        place, _hash, anchor = url.partition("#")
        answer = browser.get(place, follow_redirects=True)
        assert answer.status_code == 200, url
        assert not anchor or f'id="{anchor}"' in answer.text, url


def test_what_stopped_stands_first_with_its_effect(desk: Below) -> None:
    rename(desk)
    label = desk.label("Gone")
    desk.rule({"do": "label", "label": label}, name="Labels")
    desk.set(greets=True, greeting="Hello", tells_away=True, away="Away", routes=True, team_id=desk.team())
    pia = turns.made(desk, "Pia")
    turns.put(desk, pia, Mode.SUGGEST)

    def spoil(session: Session) -> None:
        from host.inbox.labels.models import Label

        session.execute(sa.delete(Label).where(Label.id == label))
        session.get_one(ChannelAccount, desk.direct.id).state = AccountState.NEEDS_RECONNECT
        assistant_keeping.stop(work(session, desk.desk.workspace), session.get_one(Assistant, pia))

    db.write(spoil)
    page, table = shown(desk)
    direct = table.rows["direct"]
    assert direct["Greeting"].startswith("Stopped")
    assert direct["Away"] == "Stopped no business hours"
    assert direct["Routing"] == "Shop Stopped, no members"
    assert direct["Rules"] == "Labels Stopped"
    assert direct["Assistant"] == "Pia Stopped"
    needs = re.findall(r"<b>(.*?)</b>", page.partition("au-need")[2].partition("</section>")[0])
    assert needs == [
        "direct can&#39;t send.",
        "The team Shop has no members.",
        "The rule Labels can&#39;t run.",
        "The assistant Pia is stopped.",
        "The away message of direct is never sent.",
    ]
    assert page.index("au-need") < page.index("<table")
    set_hours(desk)
    assert "is never sent" not in shown(desk)[0]


def test_an_assistant_that_has_nothing_to_answer_from_is_named(desk: Below) -> None:
    pia = turns.made(desk, "Pia")
    directory = desk.desk.generation.directory
    toy = AddonTool("toy.opens", "email", "Opening times", "When they ask.", {"type": "object"}, print)
    knows_nothing, tools_gone = "Pia has no knowledge", "Pia uses tools that are gone: toy.opens."

    def use(*names: str) -> None:
        # With its addon there, it can be chosen; the page that shows it is looked at without.
        desk.desk.generation.directory = Directory(directory.adapters, [], [], [], [toy])
        choice = {"wanted": frozenset(names), "titles": {toy.name: toy.title}}
        do(program_tools.use_built_in, desk.desk.workspace, pia, **choice)

    assert knows_nothing not in shown(desk)[0], "it is at work nowhere"
    turns.put(desk, pia)
    page = shown(desk)[0]
    assert knows_nothing in page
    assert f"/w/{desk.desk.workspace}/assistants/{pia}/knowledge" in page
    use("label", "toy.opens")
    assert (knows_nothing in shown(desk)[0], tools_gone in shown(desk)[0]) == (False, False)
    desk.desk.generation.directory = directory
    page = shown(desk)[0]
    assert (knows_nothing in page, tools_gone in page) == (True, True)
    making.entry(desk.desk.workspace, pia, "Delivery", "Two days.")
    page = shown(desk)[0]
    assert (knows_nothing in page, tools_gone in page) == (False, True)


def test_a_model_that_was_deleted_is_named_until_somebody_chooses(desk: Below) -> None:
    workspace = desk.desk.workspace
    wanted = ModelInput("House model", Speaks.OPENAI, "https://models.example/v1", "small")

    def lose(work: UnitOfWork) -> None:
        model = language_models.create(work, wanted)
        assistant_keeping.change(work, pia, model_id=model.id)
        language_models.delete(work, model.id)

    pia = turns.made(desk, "Pia")
    turns.put(desk, pia)
    making.entry(workspace, pia, "Delivery", "Two days.")
    deleted = "The model House model of the assistant Pia was deleted."
    assert deleted not in shown(desk)[0]
    do(lose, workspace)
    assert deleted in shown(desk)[0]
    assert "House model was deleted." in owner_of(desk).get(f"/w/{workspace}/assistants/{pia}").text
    do(assistant_keeping.change, workspace, pia, model_id=None)
    assert deleted not in shown(desk)[0]


def test_an_assistant_that_cannot_read_label_or_be_written_to_is_named(desk: Below) -> None:
    workspace = desk.desk.workspace
    pia = turns.made(desk, "Pia")
    turns.put(desk, pia, answers_on=[Sent.MENTION])
    page_ = making.entry(workspace, pia, "Delivery", "Two days.")
    making.entry(workspace, pia, "Prices", "A mug costs 14 €.")
    unread, no_label = (
        "1 entry of the assistant Pia can&#39;t be read.",
        "Pia may add labels, but none exists.",
    )
    unsent = "The assistant Pia waits for what nobody can send to"
    tools, no_labels_yet = f"/w/{workspace}/assistants/{pia}/tools", "There are no labels yet."
    assert (no_label in shown(desk)[0], no_labels_yet in owner_of(desk).get(tools).text) == (False, True)
    do(program_tools.use_built_in, workspace, pia, wanted=frozenset({"label"}), titles={})
    found = shown(desk)[0]
    assert (unread in found, no_label in found, unsent in found) == (False, True, True)
    making.put(page_, state=EntryState.GONE)
    desk.label("order")
    turns.put(desk, pia, answers_on=[Sent.MESSAGE, Sent.STORY_REPLY, Sent.TAP])
    found = shown(desk)[0]
    assert (unread in found, no_label in found, unsent in found) == (True, False, False)
    assert no_labels_yet not in owner_of(desk).get(tools).text


def test_many_problems_are_folded(desk: Below) -> None:
    label = desk.label("Gone")
    for number in range(9):
        desk.rule({"do": "label", "label": label}, name=f"Rule {number}")

    def spoil(session: Session) -> None:
        from host.inbox.labels.models import Label

        session.execute(sa.delete(Label).where(Label.id == label))

    db.write(spoil)
    page, _table = shown(desk)
    assert "4 more" in page.partition("au-need")[2].partition("</section>")[0]


def test_an_account_without_its_addon_offers_nothing(desk: Below) -> None:
    id_ = add_account(desk, "Lost", channel="lost")

    wanted = Settings(id_, desk.desk.workspace, greets=True, greeting="Hello")
    do(settings.save, desk.desk.workspace, wanted, limit=None)
    page, table = shown(desk)
    assert table.rows["Lost"]["Greeting"].startswith("Stopped")
    assert table.rows["Lost"]["Away"] == "–"
    assert not [column for name, column in table.links if name == "Lost" and column]
    assert "Lost can&#39;t send." in page


def test_columns_of_features_that_are_off_are_missing(desk: Below) -> None:
    desk.rule(CLOSE, name="Everywhere")
    turns.put(desk, turns.made(desk, "Pia"))
    browser = owner_of(desk)
    assert {"Rules", "Campaigns", "Assistant"} <= set(shown(desk, browser)[1].heads)
    add_account(desk, "Buttons")
    registry.switch_off(["rules", "assistants"])
    page, table = shown(desk, browser)
    assert table.heads == [
        "Account",
        "Greeting",
        "Away",
        "Ice breakers",
        "Menu",
        "Routing",
        "Sequences",
    ]
    assert "Pia" not in page
    steps = re.findall(r"<b>(.*?)</b>", page.partition("au-steps")[2])
    assert steps == [
        "Opt-out words",
        "Sequences",
        "Ice breakers and menu",
        "Routing",
        "Away message or greeting",
        "Your team",
    ]


def test_the_steps_stand_in_the_order_they_are_done(desk: Below) -> None:
    steps = re.findall(r"<b>(.*?)</b>", shown(desk)[0].partition("au-steps")[2])
    assert steps == [
        "Opt-out words",
        "Sequences",
        "Rules and campaigns",
        "Routing",
        "Away message or greeting",
        "Assistant",
        "Your team",
    ]
    # The runs of one message, as the workers do them.
    set_hours(desk)
    desk.rule({"do": "say", "text": "Hi"}, name="Everywhere")
    desk.set(greets=True, greeting="Hello", routes=True, team_id=desk.team(desk.person("Lea K.")))
    desk.said()
    desk.run()
    assert [kind for kind, *_rest in desk.runs() if kind != "rule"] == ["rules", "routing", "words"]


def test_what_is_said_of_taps_agrees_with_the_steps(desk: Below, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = owner_of(desk)
    own = "Customers who tap an entry without an answer are treated as if they had written a message."
    every = "Customers who tap a button are treated as if they had written a message."
    starts = "If a message or tap starts a sequence or answers one, the customer gets the sequence"

    def said() -> tuple[bool, bool, bool]:
        page, _table = shown(desk, browser)
        assert ("then that answer, and nothing else" in page) is (own in page)
        assert (starts in page) is ("If a message starts a sequence or answers one" not in page)
        return own in page, every in page, starts in page

    assert said() == (False, False, False), "nobody can tap there"
    add_account(desk, "Buttons")
    assert said() == (True, False, True)
    without = replace(
        ToyAdapter.capabilities,
        ice_breakers=None,
        menu=None,
        quick_replies=toys.RICH.capabilities.quick_replies,
    )
    monkeypatch.setattr(ToyAdapter, "capabilities", without)
    assert said() == (False, True, True)


def test_members_limited_to_some_accounts_see_theirs_only(desk: Below) -> None:
    rename(desk)
    desk.set(routes=True, team_id=desk.team())
    of_direct = {"if": "conversation", "filter": {"account_id": desk.direct.id}}
    desk.rule(CLOSE, name="Direct only", conditions=[of_direct])
    person = helpers.make_user(name="Lim O.", workspace=desk.desk.workspace, role=Role.OWNER)

    def limit(session: Session) -> None:
        session.get_one(Membership, (person.id, desk.desk.workspace)).limited = True
        session.add(
            MemberAccount(user_id=person.id, workspace_id=desk.desk.workspace, account_id=desk.wall.id)
        )

    db.write(limit)
    page, table = shown(desk, helpers.client_for(desk.desk.app, person))
    assert list(table.rows) == ["wall"]
    assert table.rows["wall"]["Rules"] == "Add"
    assert ("direct" in page, "Direct only" in page, "has no members" in page) == (False, False, False)


def test_only_owners_open_it(desk: Below) -> None:
    assert desk.desk.browser.get(address(desk)).status_code == 403
    lead = helpers.make_user(name="Lou", workspace=desk.desk.workspace, role=Role.LEAD)
    assert helpers.client_for(desk.desk.app, lead).get(address(desk)).status_code == 403
    elsewhere = helpers.make_user(workspace=helpers.make_workspace("Other"), role=Role.OWNER)
    assert helpers.client_for(desk.desk.app, elsewhere).get(address(desk)).status_code == 404


def test_many_accounts_are_paged_with_the_same_statements(desk: Below) -> None:
    rename(desk)
    desk.rule(CLOSE, name="Everywhere")
    desk.campaign(name="Tide", people=5)
    turns.put(desk, turns.made(desk, "Pia"))
    browser = owner_of(desk)
    shown(desk, browser)
    with counted() as few:
        shown(desk, browser)
    fill(desk.desk.workspace, 230)
    with counted() as many:
        page, table = shown(desk, browser)
    assert len(few) == len(many) <= MOST_STATEMENTS
    assert len(table.rows) == 25
    assert "1 to 25 of 232" in page
    assert len(page) < 150_000
    last = shown(desk, browser, "?page=10")[1]
    assert list(last.rows)[-1] == "@shop.0229"
    assert len(last.rows) == 7


def test_a_workspace_without_accounts_is_led_to_channels(desk: Below) -> None:
    workspace = helpers.make_workspace("Empty")
    owner = helpers.make_user(workspace=workspace, role=Role.OWNER)
    page = helpers.client_for(desk.desk.app, owner).get(f"/w/{workspace}/settings/automation").text
    assert "<table" not in page
    assert "How a message is handled" in page


def test_automatic_messages_that_were_not_sent_are_named_with_why(any_desk: Below) -> None:
    desk = any_desk
    for contact in ("ana", "bo", "kit"):
        desk.said(contact)

    def not_sent(contact: str, state: DeliveryState, **values: Any) -> None:
        def use_case(session: Session) -> None:
            row = queue_parts(
                work(session, desk.desk.workspace),
                desk.scene.conversation(contact),
                [Draft(text="A colleague will reply here.")],
                reply_key=f"automatic-{contact}",
                adapter=toys.Toy(),
                by_person=False,
                voice=Voice.AUTOMATION,
            )[0]
            row.state = state
            for name, value in values.items():
                setattr(row, name, value)

        db.write(use_case)

    person = {"code": "handled_by_person", "sentence": agent_messages.PERSON_ANSWERS.sentence}
    for contact in ("ana", "bo"):
        not_sent(contact, DeliveryState.CANCELLED, error=person)
    old = clock.now() - timedelta(days=8)
    not_sent("kit", DeliveryState.FAILED, error={"code": "window_closed", "sentence": "x"}, sent_at=old)
    page = " ".join(re.sub("<[^>]*>", " ", shown(desk)[0]).split())
    assert "2 automatic messages were not sent in the last 7 days." in page
    assert "A person is handling this conversation, so this automatic message was not sent." in page
    assert "1 automatic message was not sent" not in page, "that was too long ago"
    assert f"/inbox/{desk.scene.conversation('bo')}" in shown(desk)[0]
