"""The playground on an account: its buttons, its tools and its window are those of the account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from host.assistants import assistants, trials
from host.assistants.assistants import AccountNotThereError
from host.assistants.knowledge import retrieval
from host.assistants.models import Mode
from host.assistants.trials import PlaygroundAccount
from host.assistants.values import Ask, Body, CallTool, ModelAnswer, ModelUsage, Thought, Topic
from host.channels.directory import Directory
from host.core import clock
from host.models.automation import AutomationRun
from host.models.users import Role
from host.rules.models import RuleState
from host.sdk.channel import ChannelAdapter
from host.sdk.rules import AssistantTool, ToolEffect, UsedFor
from host.users.actor import UnitOfWork
from tests import helpers
from tests.assistants.test_pages import path, plain, text
from tests.assistants.turns import assistant, made, model, put
from tests.automation.automated import Automated
from tests.helpers import do
from tests.inbox import toys
from tests.rules.ruled import add_rule


def play(desk: Automated, id_: int, *adapters: ChannelAdapter, **more: Any) -> trials.Played:
    directory = Directory(adapters, tools=more.pop("tools", ()))
    on = PlaygroundAccount(more.pop("account", desk.desk.account.id), directory)
    lines = [("customer", "Do you ship to Norway?")]
    return trials.play(desk.desk.workspace, id_, lines, None, on, **more)


@pytest.fixture
def id_(automated: Automated, monkeypatch: pytest.MonkeyPatch) -> int:
    """An assistant that knows three topics."""
    topics = [Topic(1, "Shipping"), Topic(2, "Norway"), Topic(3, "Boats")]
    monkeypatch.setattr(retrieval, "topics", lambda *_given, **_named: topics)
    return made(automated)


def test_topics_are_offered_as_the_channel_of_the_account_can(automated: Automated, id_: int) -> None:
    nowhere = trials.play(automated.desk.workspace, id_, [("customer", "Do you ship to Norway?")])
    assert (len(nowhere.offers), nowhere.there) == (3, None)
    rich = play(automated, id_, toys.Rich())
    assert len(rich.offers) == 2, "three buttons, and one is for a person"
    assert rich.there is not None
    assert (rich.there.account, rich.there.to_person) == ("@sample.pottery", True)
    for adapter in (toys.Toy(), toys.Public()):
        plain = play(automated, id_, adapter)
        assert (plain.text, plain.offers, plain.reason) == ("", (), "no_topics")


def test_the_window_of_the_account_is_told(automated: Automated, id_: int) -> None:
    there = play(automated, id_, toys.Windowed()).there
    assert there is not None
    assert there.until is not None
    assert there.writes
    assert abs(there.until - clock.now() - timedelta(hours=24)) < timedelta(minutes=1)
    always = play(automated, id_, toys.Toy()).there
    assert always is not None
    assert (always.writes, always.until) == (True, None)
    gone = play(automated, id_).there
    assert gone is not None
    assert not gone.writes, "the addon of the channel is off"


def test_the_tools_of_its_channel_are_offered_and_those_that_read_are_used(
    automated: Automated, id_: int
) -> None:
    used: list[UsedFor] = []

    def look(about: UsedFor, arguments: Mapping[str, Any]) -> str:
        used.append(about)
        return "Nine parcels."

    schema = {"type": "object", "properties": {}}
    reads = AssistantTool("toy.look", "email", "Look", "Always.", schema, look)
    waves = AssistantTool("toy.wave", "email", "Wave", "Never.", schema, look, ToolEffect.REVERSIBLE)

    def chosen(work: UnitOfWork) -> None:
        assistants.save_version(work, id_, body=Body(builtin=("toy.look", "toy.wave")))
        assistants.change(work, id_, model_id=model_id)

    model_id = model(automated)
    do(chosen, automated.desk.workspace)

    def ask_model(_setting: object, ask: Ask, call: CallTool, /) -> Thought:
        said = [call(one.name, {}) for one in ask.tools]
        number = int(re.findall(r"^\[(\d+)\]", said[0])[0]) if said else 0
        return Thought(ModelAnswer("Nine.", (number,)), ModelUsage("large", 1, 1))

    played = play(automated, id_, toys.Toy(), tools=(reads, waves), ask_model=ask_model)
    assert [(one.tool, one.told.partition("\n")[2] or one.told) for one in played.calls] == [
        ("toy-look", "Nine parcels."),
        ("toy-wave", "Nothing was done, because this is a trial."),
    ]
    assert (played.text, played.hands_over) == ("Nine.", False)
    assert [one.title for one in played.sources if one.used] == ["Look"]
    ((about),) = used
    assert (about.account.id, about.contact, about.username) == (automated.desk.account.id, "", None)
    elsewhere = trials.play(
        automated.desk.workspace, id_, [("customer", "Hello")], None, None, ask_model=ask_model
    )
    assert (elsewhere.calls, elsewhere.hands_over) == ([], True)


def test_an_account_of_another_workspace_is_none(automated: Automated, id_: int) -> None:
    other = toys.make_account(helpers.make_workspace("Third")).id
    with pytest.raises(AccountNotThereError):
        play(automated, id_, toys.Toy(), account=other)


def test_where_it_is_on_several_one_is_chosen(automated: Automated, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = made(automated)
    first = automated.desk.account.id
    second = toys.make_account(automated.desk.workspace, handle="@sample.studio").id
    third = toys.make_account(automated.desk.workspace, handle="@sample.shop").id
    owner = helpers.client_for(
        automated.desk.app, helpers.make_user(name="Olu", workspace=automated.desk.workspace, role=Role.OWNER)
    )
    asked: list[int | None] = []

    def played(*given: Any) -> trials.Played:
        asked.append(None if given[4] is None else given[4].account_id)
        there = trials.AnswerDelivery("@sample.studio", True, True, clock.now() + timedelta(hours=24))
        return trials.Played(text="Yes.", there=there)

    monkeypatch.setattr(trials, "play", played)
    page = path(automated, id_, "playground")
    owner.post_form(page, ask="Hello")
    assert asked == [first], "it is on no account, so it is tried on the first"
    put(automated, id_)
    owner.post_form(page, ask="Hello")
    put(automated, id_, Mode.ANSWER, account_id=second, typed_name="@sample.studio")
    put(automated, id_, Mode.OFF, account_id=third)
    shown = text(owner.get(page))
    assert "play-account" in shown
    assert f'<option value="{third}" selected>' not in shown, "those where it works come first"
    answer = text(owner.post_form(page, ask="Hello", account=str(second)))
    assert f'<option value="{second}" selected>@sample.studio' in answer
    assert "Talk to a person" in answer
    assert "it could reply until" in answer
    for wrong in (third, 0, "x", "9" * 30):
        owner.post_form(page, ask="Hello", account=str(wrong))
    assert asked[1:] == [first, second, third, *[first] * 3]
    assert assistant(id_).version == 1


def test_the_rules_that_look_first_are_shown_in_their_order(
    automated: Automated, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = made(automated)
    word = {"if": "words", "words": ["refund"]}
    label = automated.label("Refund")
    for name, state, conditions in (
        ("Refunds", RuleState.LIVE, [word]),
        ("Orders", RuleState.LIVE, [{"if": "words", "words": ["order"]}]),
        ("Tried first", RuleState.SHADOW, [word]),
        ("Not yet", RuleState.DRAFT, [word]),
    ):
        add_rule(automated, {"do": "label", "label": label}, name=name, state=state, conditions=conditions)
    person = helpers.make_user(name="Olu", workspace=automated.desk.workspace, role=Role.OWNER)
    owner = helpers.client_for(automated.desk.app, person)
    monkeypatch.setattr(trials, "play", lambda *_given: trials.Played(reason="no_source", hands_over=True))
    page = plain(owner.post_form(path(automated, id_, "playground"), ask="I want a refund"))
    assert "Refunds Add label Refund Tried first matches, but runs in shadow mode" in page
    assert "Words like STOP, Orders no match" in page
    assert "Not yet" not in page
    assert "Add an answer" in page
    stopped = plain(owner.post_form(path(automated, id_, "playground"), ask="STOP"))
    assert "Words like STOP stops automatic messages" in stopped
    assert toys.everything(AutomationRun) == []
