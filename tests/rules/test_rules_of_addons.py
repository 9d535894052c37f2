"""What addons add to rules: asked and done while they are on, and what one does wrong costs nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host import recording
from host.addons import hooks
from host.automation import running
from host.automation.asking_addons import MOST_CHANGES, AskedInsideError
from host.automation.running import PAUSES
from host.channels import timeouts
from host.channels.directory import Directory
from host.core import clock, db
from host.core.backports.values import replace
from host.models.inbox import Contact, Conversation, Reaction
from host.rules import evaluation, log
from host.rules.body import RuleError
from host.sdk.rules import AskedAbout, React, RuleAction, RuleCondition, SendText
from tests.inbox import toys
from tests.live.served import until
from tests.rules.ruled import Ruled

LONG = {"if": "addon", "name": "email.long", "value": "5"}
THANK = {"do": "addon", "name": "email.thank"}
NOTE = {"do": "note", "text": "Look"}


def is_long(about: AskedAbout, value: str) -> bool:
    return about.kind == "text" and len(about.text) >= int(value)


def fails(*_: object) -> Any:
    raise RuntimeError("broken")


def thank(about: AskedAbout) -> SendText:
    return SendText(f"Thank you for {len(about.text)} letters!")


class Reacting(toys.Windowed):
    """A toy that takes a heart."""

    capabilities = replace(toys.Windowed.capabilities, reactions=frozenset({"❤️"}))


def bring(
    desk: Ruled,
    *,
    holds: Callable[[AskedAbout, str], Any] = is_long,
    plan: Callable[[AskedAbout], Any] = thank,
    channel: str | None = "email",
    facts: Callable[[Sequence[AskedAbout]], Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Let an addon that is on bring a condition and an action."""
    desk.desk.generation.directory = Directory(
        [Reacting()],
        conditions=[RuleCondition("email.long", channel, "they wrote", holds, facts=facts)],
        actions=[RuleAction("email.thank", channel, "say thank you", plan)],
    )


def switch_off(desk: Ruled) -> None:
    desk.desk.generation.directory = Directory([Reacting()])


def outcomes(desk: Ruled, rule: int) -> Sequence[tuple[str, Any, Any]]:
    return [(one.outcome, [each[:2] for each in one.trace], one.done) for one in desk.ran(rule)]


def test_what_an_addon_brings_is_asked_and_done(any_desk: Ruled) -> None:
    bring(any_desk)
    rule = any_desk.rule(THANK, NOTE, conditions=[LONG])
    any_desk.said("ana", "Hello there")
    any_desk.said("bob", "Hey")
    any_desk.run()
    assert any_desk.automatic("ana") == ["Thank you for 11 letters!"]
    assert any_desk.automatic("bob") == []
    assert outcomes(any_desk, rule) == [("did", [(True, "")], [("addon", ""), ("note", "")])]


def test_it_reacts_to_the_message_of_the_event(automated: Ruled) -> None:
    bring(automated, plan=lambda _about: React("❤️"))
    rule = automated.rule(THANK, conditions=[LONG])
    automated.said("ana", "Hello there")
    automated.run()
    assert outcomes(automated, rule) == [("did", [(True, "")], [("addon", "")])]
    assert [one.emoji for one in toys.everything(Reaction)] == ["❤️"]


def test_while_the_addon_is_off_its_condition_holds_nowhere(automated: Ruled) -> None:
    bring(automated)
    first = {"if": "words", "words": ["hello"]}
    rule = automated.rule(NOTE, conditions=[first, LONG])
    switch_off(automated)
    automated.said("ana", "Hello there")
    automated.run()
    assert [(one.outcome, [each[:2] for each in one.trace]) for one in automated.ran(rule)] == [
        ("", [(True, "hello"), (False, "missing")])
    ]
    with pytest.raises(RuleError, match="not active"):
        automated.rule(NOTE, conditions=[LONG])


def test_while_the_addon_is_off_its_action_says_so_and_the_others_are_done(automated: Ruled) -> None:
    bring(automated)
    rule = automated.rule(THANK, NOTE)
    switch_off(automated)
    automated.said("ana", "Hello there")
    automated.run()
    [ran] = automated.ran(rule)
    assert (ran.outcome, ran.reason, ran.done) == (
        "refused",
        "addon_off",
        [("addon", "addon_off"), ("note", "")],
    )


@pytest.mark.parametrize(
    "plan",
    [
        fails,
        lambda _about: "hello",
        lambda _about: SendText(7),  # type: ignore[arg-type]
        lambda _about: React(None),  # type: ignore[arg-type]
        lambda _about: React(""),
    ],
    ids=["raises", "no plan", "no text", "no emoji", "an empty one"],
)
def test_an_action_that_fails_costs_nothing_else(automated: Ruled, plan: Callable[..., Any]) -> None:
    bring(automated, plan=plan)
    rule = automated.rule(THANK, NOTE)
    other = automated.rule({"do": "close"}, name="Another")
    automated.said("ana", "Hello there")
    automated.run()
    [ran] = automated.ran(rule)
    assert (ran.outcome, ran.done) == ("refused", [("addon", "addon_failed"), ("note", "")])
    assert [one.outcome for one in automated.ran(other)] == ["did"]
    assert ("rules", "done", "rules", None) in automated.runs()


@pytest.mark.parametrize("said", ["", " \n ", "x" * 2000, "a\x00\ud800b"])
def test_what_an_addon_wants_sent_is_held_to_the_limits_of_the_channel(automated: Ruled, said: str) -> None:
    bring(automated, plan=lambda _about: SendText(said))
    rule = automated.rule(THANK, NOTE)
    automated.said("ana", "Hello there")
    automated.run()
    [ran] = automated.ran(rule)
    assert ran.done[1] == ("note", "")
    assert (ran.outcome == "did") is bool(automated.automatic("ana")), ran.done
    assert all(len(one) <= 1000 for one in automated.automatic("ana"))


def test_nothing_to_do_is_no_failure_of_the_addon(automated: Ruled) -> None:
    bring(automated, plan=lambda _about: None)
    rule = automated.rule(THANK)
    automated.said("ana", "Hello there")
    automated.run()
    assert [(one.reason, one.done) for one in automated.ran(rule)] == [
        ("nothing_to_do", [("addon", "nothing_to_do")])
    ]


@pytest.mark.parametrize(("holds", "answers"), [(fails, False), (lambda *_: "yes", True)])
def test_a_condition_that_fails_holds_not(automated: Ruled, holds: Callable[..., Any], answers: bool) -> None:
    bring(automated, holds=holds)
    rule = automated.rule(NOTE, conditions=[LONG])
    other = automated.rule({"do": "close"}, name="Another")
    automated.said("ana", "Hello there")
    automated.run()
    assert [one.outcome for one in automated.ran(rule)] == (["did"] if answers else [])
    assert [one.outcome for one in automated.ran(other)] == ["did"]


def test_in_conversations_of_another_channel_it_is_not_asked_and_not_done(automated: Ruled) -> None:
    bring(automated, channel="other")
    asked = automated.rule(NOTE, conditions=[LONG])
    done = automated.rule(THANK, name="Another")
    automated.said("ana", "Hello there")
    automated.run()
    assert automated.ran(asked) == []
    assert [one.done for one in automated.ran(done)] == [[("addon", "other_channel")]]


# ---- facts ---------------------------------------------------------------------------------------------


def has_order(about: AskedAbout, value: str) -> bool:
    return bool(about.facts["orders"])


def test_facts_are_read_for_many_events_at_once_and_for_every_channel(any_desk: Ruled) -> None:
    asked: list[list[str]] = []

    def facts(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
        asked.append(sorted(one.text for one in about))
        with db.read() as session:
            addresses = dict(session.execute(sa.select(Contact.id, Contact.email)).all())
        return [{"orders": addresses[one.contact_id or 0] == "ana@example.com"} for one in about]

    bring(any_desk, holds=has_order, facts=facts, channel=None)
    rule = any_desk.rule(NOTE, conditions=[LONG])
    any_desk.said("ana", "Hello")
    any_desk.said("bob", "Hey")
    with db.read() as session:
        first = session.scalars(sa.select(Contact).order_by(Contact.id)).first()
        assert first is not None
        first_id = first.id
    db.write(
        lambda session: session.execute(
            sa.update(Contact).where(Contact.id == first_id).values(email="ana@example.com")
        )
    )
    any_desk.run()
    # On a server each pass is a write of its own.
    assert asked == ([["Hello", "Hey"]] if db.current().is_sqlite else [["Hello"], ["Hey"]])
    assert [one.outcome for one in any_desk.ran(rule)] == ["did"]


def _raises(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
    with db.read() as session:
        session.execute(sa.text("SELECT * FROM there_is_no_such_table"))
    return []


def _too_few(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
    return []


def _writes(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
    return [None for _ in about]  # type: ignore[misc]


@pytest.mark.parametrize("facts", [_raises, _too_few, _writes])
def test_facts_that_fail_are_a_condition_that_is_not_met_and_cost_nothing_else(
    any_desk: Ruled, facts: Callable[[Sequence[AskedAbout]], list[dict[str, Any]]]
) -> None:
    bring(any_desk, holds=has_order, facts=facts)
    rule = any_desk.rule(NOTE, conditions=[LONG])
    other = any_desk.rule(NOTE, name="Other")
    any_desk.said("ana", "Hello")
    any_desk.run()
    assert [one.outcome for one in any_desk.ran(other)] == ["did"]
    assert "did" not in [one.outcome for one in any_desk.ran(rule)]


def nothing_hangs() -> bool:
    """Return whether the calls of this file's addon returned; other tests of the process have others."""
    return not any(count > 0 for (name, _who), count in timeouts._hung.items() if " email." in name)


def test_facts_that_hang_hold_up_a_rule_for_a_moment_once(
    automated: Ruled, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr("host.automation.asking_addons.FACTS_SECONDS", 0.05)

    def hangs(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
        goes_on.wait(60)
        return [{} for _ in about]

    bring(automated, holds=has_order, facts=hangs)
    automated.rule(NOTE, conditions=[LONG])
    other = automated.rule(NOTE, name="Other")
    try:
        automated.said("ana", "Hello")
        automated.run()
        assert [one.outcome for one in automated.ran(other)] == ["did"]
    finally:
        goes_on.set()
    until(nothing_hangs)


# ---- outside of any transaction ------------------------------------------------------------------------


def test_no_addon_is_called_while_the_database_is_locked(automated: Ruled) -> None:
    locked: list[tuple[str, bool]] = []

    def called(what: str) -> None:
        locked.append((what, db.current().lock.locked()))

    def facts(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
        called("facts")
        return [{"orders": 1} for _ in about]

    def holds(about: AskedAbout, value: str) -> bool:
        called("holds")
        return has_order(about, value)

    def plan(about: AskedAbout) -> SendText:
        called("plan")
        return thank(about)

    bring(automated, holds=holds, plan=plan, facts=facts)
    automated.rule(THANK, conditions=[LONG])
    automated.said("ana", "Hello there")
    automated.run()
    assert automated.automatic("ana") == ["Thank you for 11 letters!"]
    assert locked == [("facts", False), ("holds", False), ("plan", False)]


def test_a_preview_holds_no_connection_while_an_addon_is_asked(any_desk: Ruled) -> None:
    held: list[int] = []

    def holds(about: AskedAbout, value: str) -> bool:
        held.append(db.current().read_engine.pool.checkedout())  # type: ignore[attr-defined]
        return is_long(about, value)

    bring(any_desk, holds=holds)
    any_desk.rule(NOTE, conditions=[LONG])
    any_desk.said("ana", "Hello there")
    workspace = any_desk.desk.workspace
    with db.read() as session:
        session.execute(sa.text("SELECT 1"))
        before = db.current().read_engine.pool.checkedout()  # type: ignore[attr-defined]
        (rule,) = evaluation.active(session, [workspace])[workspace]
        found = log.preview(session, workspace, rule.body, any_desk.desk.generation.directory, clock.now())
    assert found.matches == 1
    assert held == [before - 1]


@pytest.mark.parametrize("slow", ["holds", "plan", "facts"])
def test_while_an_addon_is_asked_the_messages_of_others_are_applied(
    automated: Ruled, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    monkeypatch.setattr("host.automation.asking_addons.FACTS_SECONDS", 60)
    entered, goes_on, left = threading.Event(), threading.Event(), threading.Event()

    def waits(what: str) -> None:
        if what == slow and not entered.is_set():
            entered.set()
            goes_on.wait(20)
            left.set()

    def facts(about: Sequence[AskedAbout]) -> list[dict[str, Any]]:
        waits("facts")
        return [{} for _ in about]

    def holds(_about: AskedAbout, _value: str) -> bool:
        waits("holds")
        return True

    def plan(about: AskedAbout) -> SendText:
        waits("plan")
        return thank(about)

    bring(automated, holds=holds, plan=plan, facts=facts)
    automated.rule(THANK, conditions=[LONG])
    automated.said("ana", "Hello there")
    desk = threading.Thread(target=automated.run)
    desk.start()
    try:
        assert entered.wait(20)
        automated.said("bob", "Is anybody there?")
        assert not left.is_set(), "his message waited for the addon"
    finally:
        goes_on.set()
        desk.join(60)
    assert not desk.is_alive()
    automated.run()
    assert automated.automatic("ana") == ["Thank you for 11 letters!"]


def change(about: AskedAbout, **values: Any) -> None:
    wanted = sa.update(Conversation).where(Conversation.id == about.conversation_id).values(**values)
    db.write(lambda session: session.execute(wanted))


def test_a_rule_is_decided_again_if_the_conversation_changed_while_the_addon_was_asked(
    automated: Ruled,
) -> None:
    asked: list[str] = []

    def closes(about: AskedAbout, value: str) -> bool:
        asked.append(about.text)
        if len(asked) == 1:
            change(about, status="closed")
        return is_long(about, value)

    bring(automated, holds=closes)
    is_open = {"if": "conversation", "filter": {"status": "open"}}
    rule = automated.rule(NOTE, conditions=[LONG])
    other = automated.rule(NOTE, name="Another", conditions=[is_open])
    automated.said("ana", "Hello there")
    automated.run()
    assert asked == ["Hello there", "Hello there"]
    assert [one.outcome for one in automated.ran(rule)] == ["did"]
    assert [one.outcome for one in automated.ran(other)] == [], "it was closed when the rules were decided"


def test_a_pass_whose_conversation_keeps_changing_is_tried_again_later(
    automated: Ruled, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def changes(about: AskedAbout, value: str) -> bool:
        asked.append(about.text)
        if len(asked) <= MOST_CHANGES + 1:
            change(about, failed_count=len(asked))
        return is_long(about, value)

    bring(automated, holds=changes)
    rule = automated.rule(NOTE, conditions=[LONG])
    automated.said("ana", "Hello there")
    automated.run()
    assert len(asked) == MOST_CHANGES + 1
    assert automated.ran(rule) == []
    assert "the conversation changed each time while the addon was asked" in caplog.text
    with clock.travel(PAUSES[0] + timedelta(seconds=1)):
        automated.run()
    assert [one.outcome for one in automated.ran(rule)] == ["did"]


def test_a_use_case_that_is_no_write_of_addons_asks_none(automated: Ruled) -> None:
    bring(automated)
    automated.rule(NOTE, conditions=[LONG])
    automated.said("ana", "Hello there")
    automated.read()
    with db.read() as session:
        ((run, _since),) = running.due(session, clock.now())
    with pytest.raises(AskedInsideError):
        db.write(running.do, run, automated.desk.generation.directory, clock.now())


@pytest.mark.parametrize("hung", ["holds", "plan"])
def test_one_that_hangs_counts_as_failed_once_and_is_asked_no_more_until_it_returns(
    automated: Ruled, monkeypatch: pytest.MonkeyPatch, hung: str
) -> None:
    recording.reset()
    monkeypatch.setattr("host.automation.asking_addons.FACTS_SECONDS", 0.05)
    goes_on, calls = threading.Event(), []

    def hangs(*_: object) -> Any:
        calls.append(hung)
        goes_on.wait(60)

    bring(automated, **{hung: hangs})
    rule = automated.rule(THANK, NOTE, conditions=[LONG])
    other = automated.rule(NOTE, name="Other")
    try:
        for name in ("ana", "bob"):
            automated.said(name, "Hello there")
            automated.run()
        assert calls == [hung, hung], "once for each customer"
        automated.said("ana", "Hello again")
        automated.run()
        assert calls == [hung, hung], "her second time it is not called"
        assert [one.outcome for one in automated.ran(other)] == ["did"] * 3
        if hung == "plan":
            done = [("addon", "addon_failed"), ("note", "")]
            assert [one.done for one in automated.ran(rule)] == [done] * 3
        else:
            assert automated.ran(rule) == []
        recording.flush()
        with db.read() as session:
            (function,) = timeouts.lately(session)
            (problem,) = [one for one in hooks.problems(session) if "email" in str(one.fact)]
        assert (function.slug, function.times) == ("email", 2)
        assert f"2 calls of “{function.name}” of the addon email did not return in time" in str(problem.fact)
    finally:
        goes_on.set()
    until(nothing_hangs)
