"""One turn, one answer; a person comes first; nobody is forgotten."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from host.assistants import assistants, ratings, results, suggestions, tools, turn_worker, turns
from host.assistants.models import Mode, TurnState
from host.assistants.values import Cap, Limits, ModelAnswer, ModelError
from host.automation.deciding import Answer
from host.channels.directory import Directory
from host.core import clock, db
from host.delivery.worker import drain
from host.events.models import ActorKind, DomainEvent
from host.inbox.contacts import consent
from host.inbox.reply import Hold
from host.models.inbox import Conversation
from host.sdk.channel import SendRequest, SendResult
from host.users.actor import Actor
from tests.assistants.assisting import ANSWER, Assisted
from tests.automation.automated import shut
from tests.automation.test_taps import keep, tap
from tests.helpers import do
from tests.inbox import toys

SHIPPING = "To Norway it takes 4 to 6 days and costs 14 €."


class TestSuggesting:
    def test_what_a_customer_asks_is_answered_to_the_team(self, any_assisted: Assisted) -> None:
        any_assisted.attach()
        any_assisted.said(text="Do you ship to Norway?")
        assert any_assisted.think() == [TurnState.READY]
        (turn,) = any_assisted.turns()
        assert (turn.text, turn.messages, turn.tokens_in, turn.cost) == (SHIPPING, 1, 1000, 1000)
        assert [one["title"] for one in turn.sources if one.get("used", True)] == ["Shipping to the Nordics"]
        assert any_assisted.automatic() == []
        assert any_assisted.handled_by() == "nobody"

    def test_a_burst_is_read_once(self, any_assisted: Assisted) -> None:
        any_assisted.attach()
        for text in ("Hi", "I would like", "a mug", "to Norway?"):
            any_assisted.said(text=text)
            any_assisted.read()
        any_assisted.think()
        assert len(any_assisted.model.asked) == 1
        assert any_assisted.states()[-1] == ("ready", None)
        assert [one for one in any_assisted.states() if one[0] != "discarded"] == [("ready", None)]
        assert any_assisted.turns()[-1].messages == 4

    def test_it_waits_for_a_pause(self, assisted: Assisted) -> None:
        assisted.attach(pause=8)
        assisted.said()
        assert assisted.think(after=5) == []
        assert assisted.think(after=4) == [TurnState.READY]

    def test_the_pause_grows_and_ends(self) -> None:
        now = clock.now()
        assert turns.due(now, now, 4, 0) == now + timedelta(seconds=4)
        assert turns.due(now, now, 4, 2) == now + timedelta(seconds=8)
        assert turns.due(now, now - timedelta(seconds=28), 8, 4) == now + timedelta(seconds=2)
        assert turns.due(now, now - timedelta(seconds=60), 8, 4) == now

    def test_what_is_read_once_more_is_there_once(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said()
        assisted.think()
        assisted.read(again=True)
        assert assisted.states() == [("ready", None)]

    def test_a_later_message_takes_a_suggestion_away(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said()
        assisted.think()
        assisted.said(text="And to Sweden?")
        assisted.think()
        assert assisted.states() == [("discarded", "newer"), ("ready", None)]

    def test_what_comes_while_it_thinks_makes_that_void(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said()
        assisted.model.meanwhile = lambda: assisted.said(text="Wait, to Sweden")
        assisted.think()
        assert assisted.states() == [("discarded", "newer")]

    def test_a_person_who_writes_something_else_is_noted(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said()
        assisted.think()
        assisted.scene.sent("ana", "I will look", clock.now())
        assisted.read()
        (turn,) = assisted.turns()
        assert (turn.state, turn.reason, turn.outcome) == ("discarded", "answered", "written")

    @pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.ANSWER])
    def test_a_person_who_answers_meanwhile_comes_first(self, assisted: Assisted, mode: Mode) -> None:
        assisted.attach(mode)
        assisted.said()
        assisted.model.meanwhile = lambda: assisted.scene.reply("ana", "On it", clock.now())
        assisted.think()
        assert assisted.states() == [("discarded", "answered")]
        assert assisted.automatic() == []

    def test_what_it_knows_nothing_of_is_said_to_the_team_alone(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said(text="Do you sell candles?")
        assisted.model.says = ModelAnswer(hands_over=True, because="No source says anything about candles.")
        assert assisted.think() == [TurnState.HANDED_OVER]
        assert assisted.states() == [("handed_over", "no_source")]
        assert assisted.handled_by() == "nobody"

    def test_nothing_is_suggested_where_it_is_off(self, assisted: Assisted) -> None:
        assisted.attach(Mode.OFF)
        assisted.said()
        assert assisted.think() == []
        assert assisted.turns() == []

    def test_old_messages_are_left_alone(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said()
        with clock.travel(timedelta(hours=2)):
            assert assisted.think() == []


class TestAnswering:
    def test_it_answers_says_that_it_is_automatic_and_shows_a_way_to_a_person(
        self, any_assisted: Assisted
    ) -> None:
        any_assisted.attach(Mode.ANSWER)
        any_assisted.said(text="Do you ship to Norway?")
        assert any_assisted.think() == [TurnState.SENT]
        (text,) = any_assisted.automatic()
        assert text.startswith(SHIPPING)
        assert "This answer is automatic" in text
        assert any_assisted.handled_by() == "automation"
        any_assisted.said(text="And to Sweden?")
        any_assisted.model.says = ModelAnswer("To Sweden it is the same.", (1,))
        assert any_assisted.think() == [TurnState.SENT]
        assert any_assisted.automatic()[1] == "To Sweden it is the same."

    def test_it_says_nothing_of_that_where_the_owner_switched_it_off(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER, announces=False)
        assisted.said()
        assisted.think()
        assert assisted.automatic() == [SHIPPING]

    def test_an_answer_without_a_source_goes_to_people(self, any_assisted: Assisted) -> None:
        any_assisted.attach(Mode.ANSWER)
        any_assisted.said(text="Do you sell candles?")
        any_assisted.model.says = ModelAnswer("Yes, we sell candles.")
        assert any_assisted.think() == [TurnState.HANDED_OVER]
        assert any_assisted.automatic() == ["A colleague will reply here."]
        assert any_assisted.handled_by() == "person"
        assert any_assisted.activities()[-1] == {
            "what": "handed_to_people",
            "why": "no_source",
            "by": "Shop desk",
            "assistant": True,
        }

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ({}, ["A colleague will reply here."]),
            ({"handoff": "Mia answers you in a moment."}, ["Mia answers you in a moment."]),
            ({"handoff": "Mia answers you.", "tells_handoff": False}, []),
        ],
    )
    def test_at_a_handoff_the_customer_is_told_once_and_keeps_waiting(
        self, assisted: Assisted, body: dict[str, Any], told: list[str]
    ) -> None:
        assisted.attach(Mode.ANSWER, **body)
        assisted.model.says = ModelAnswer(hands_over=True)
        for number in range(2):
            assisted.said(text=f"Do you sell candles? {number}")
            assisted.think()
        assert assisted.automatic() == told
        assert assisted.handled_by() == "person"
        assert assisted.talk().waiting_since is not None

    def test_what_is_told_at_a_handoff_leaves(self, assisted: Assisted) -> None:
        """People have the conversation by then, which takes back what is automatic otherwise."""
        sent: list[str] = []

        class Noted(toys.Windowed):
            def send(self, request: SendRequest) -> SendResult:
                sent.append(request.part.text)
                return super().send(request)

        assisted.attach(Mode.ANSWER)
        assisted.model.says = ModelAnswer(hands_over=True)
        assisted.said(text="Do you sell candles?")
        assisted.think()
        assisted.desk.generation.directory = Directory([Noted()])
        drain(assisted.desk.generation, direction="out")
        assert sent == ["A colleague will reply here."]
        assert assisted.handled_by() == "person"

    def test_a_suggestion_that_hands_off_tells_the_customer_nothing(self, assisted: Assisted) -> None:
        assisted.attach(Mode.SUGGEST)
        assisted.said(text="Do you sell candles?")
        assisted.model.says = ModelAnswer(hands_over=True)
        assisted.think()
        assert assisted.automatic() == []

    def test_who_wrote_stop_is_told_nothing_at_a_handoff(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said(text="STOP")
        assisted.said(text="Do you sell candles?")
        assisted.model.says = ModelAnswer(hands_over=True)
        assisted.think()
        assert assisted.automatic() == []

    def test_nothing_is_told_while_a_person_types(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said(text="Do you sell candles?")
        assisted.model.says = ModelAnswer(hands_over=True)
        with mock.patch.object(results._Writer, "_somebody_types", return_value=True):
            assisted.think()
        assert assisted.automatic() == []
        assert assisted.handled_by() == "person"

    @pytest.mark.parametrize(
        ("own", "told"),
        [
            ({}, "A colleague will reply here. We're back tomorrow at "),
            ({"tells_away": True, "away": "We are closed."}, "A colleague will reply here."),
        ],
    )
    def test_outside_working_hours_it_says_when_people_are_back(
        self, assisted: Assisted, own: dict[str, Any], told: str
    ) -> None:
        assisted.set(**own)
        assisted.attach(Mode.ANSWER)
        assisted.said(text="Do you sell candles?")
        assisted.model.says = ModelAnswer(hands_over=True)
        with shut(clock.now() + timedelta(days=1)):
            assisted.think()
        (words,) = [one for one in assisted.automatic() if "colleague" in one]
        assert words.startswith(told)
        assert ("back" in words) is not bool(own)

    def test_what_the_model_says_about_it_is_a_note(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said(text="Do you sell candles?")
        assisted.model.says = ModelAnswer(hands_over=True, because="No source says anything about candles.")
        assisted.think()
        assert assisted.notes() == ["No source says anything about candles."]

    def test_an_approved_phrase_needs_no_source(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER, phrases=("You're welcome.",), announces=False)
        assisted.said(text="Thanks!")
        assisted.model.says = ModelAnswer("you're welcome")
        assert assisted.think() == [TurnState.SENT]

    @pytest.mark.parametrize("word", ["Person", "human!", "Mensch", "人工客服", "Talk to a person"])
    def test_a_word_reaches_a_person_without_the_model(self, assisted: Assisted, word: str) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said(text=word)
        assert assisted.think(after=0.5) == [TurnState.HANDED_OVER]
        assert assisted.model.asked == []
        assert assisted.states() == [("handed_over", "asked_for_person")]
        assert assisted.handled_by() == "person"

    def test_where_a_person_has_it_it_suggests(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.scene.sent("ana", "I am on it", clock.now())
        assisted.said(text="Do you ship to Norway?")
        assert assisted.think() == [TurnState.READY]
        assert assisted.states()[-1] == ("ready", "person")
        assert assisted.automatic() == []

    def test_after_closing_it_answers_again(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.scene.sent("ana", "Done", clock.now())
        assisted.scene.close("ana", assisted.desk.mia.id, clock.now())
        assisted.said(text="Do you ship to Norway?")
        assert assisted.think() == [TurnState.SENT]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda one: one.change(mode=Mode.OFF), "mode"),
            (lambda one: one.stop(), "stopped"),
            (lambda one: one.scene.close("ana", one.desk.mia.id, clock.now()), "closed_by_team"),
        ],
    )
    def test_what_happens_while_it_thinks_keeps_it_silent(
        self, assisted: Assisted, change: Any, reason: str
    ) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.model.meanwhile = lambda: change(assisted)
        assisted.think()
        assert assisted.states() == [("discarded", reason)]
        assert assisted.automatic() == []

    def test_put_back_to_suggest_while_it_thinks_it_suggests(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.model.meanwhile = lambda: assisted.change(mode=Mode.SUGGEST)
        assert assisted.think() == [TurnState.READY]

    def test_nothing_goes_out_once_the_window_closed_while_it_thought(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.model.meanwhile = lambda: assisted.time.enter_context(clock.travel(timedelta(days=1)))
        assisted.think()
        assert assisted.automatic() == []
        assert assisted.states() == [("discarded", "people_only")]
        assert assisted.handled_by() == "person"

    def test_who_opted_out_is_not_written_to(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()

        def opt_out() -> None:
            with db.read() as session:
                contact = session.get_one(Conversation, assisted.scene.conversation("ana")).contact_id
            do(
                consent.opt_out,
                assisted.desk.workspace,
                contact,
                "on the phone",
                actor=Actor(ActorKind.USER, assisted.desk.mia.id),
            )

        assisted.model.meanwhile = opt_out
        assisted.think()
        assert assisted.states() == [("discarded", "opted_out")]
        assert assisted.automatic() == []

    def test_the_same_said_again_is_a_loop(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER, announces=False)
        assisted.said()
        assisted.think()
        assisted.said(text="That is no answer")
        assisted.think()
        assert assisted.states()[-1] == ("handed_over", "loop")
        assert assisted.handled_by() == "person"


class TestFailing:
    def test_a_model_that_fails_is_asked_once_more_then_people_have_it(self, any_assisted: Assisted) -> None:
        any_assisted.attach(Mode.ANSWER)
        any_assisted.said()
        any_assisted.model.says = ModelError("model_failed", again=True)
        assert any_assisted.think() == [TurnState.WAITING]
        assert any_assisted.think(after=20) == [TurnState.FAILED]
        assert any_assisted.states() == [("failed", "model_failed")]
        assert any_assisted.handled_by() == "person"
        assert len(any_assisted.model.asked) == 2

    def test_a_refusal_is_not_tried_again(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.model.says = ModelError("model_refused")
        assert assisted.think() == [TurnState.FAILED]

    def test_a_worker_that_died_is_followed_by_another(self, any_assisted: Assisted) -> None:
        any_assisted.attach(Mode.ANSWER)
        any_assisted.said()
        any_assisted.read()
        with clock.travel(timedelta(seconds=10)), any_assisted.knowing():
            (turn_id,) = any_assisted.due()
            directory = any_assisted.desk.generation.directory
            dead = db.write(turn_worker._begin, turn_id, directory, clock.now())
            assert isinstance(dead, turn_worker.ClaimedTurn)
            assert any_assisted.due() == []
        with clock.travel(timedelta(seconds=120)):
            assert any_assisted.due() == [turn_id]
            assert any_assisted.think_about(turn_id) == TurnState.SENT
            late = results.TurnResult(text="Something else", cited=())
            assert db.write(results.settle, turn_id, dead.fence, late, directory, clock.now()) is None
        assert len(any_assisted.automatic()) == 1

    def test_two_that_died_are_followed_by_people(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.read()
        directory = assisted.desk.generation.directory
        (turn,) = assisted.turns()
        for minutes in (2, 4):
            with clock.travel(timedelta(minutes=minutes)), assisted.knowing():
                db.write(turn_worker._begin, turn.id, directory, clock.now())
        with clock.travel(timedelta(minutes=6)):
            assert assisted.think_about(turn.id) == TurnState.FAILED
        assert assisted.handled_by() == "person"

    def test_who_waits_in_vain_gets_a_person(self, any_assisted: Assisted) -> None:
        any_assisted.attach(Mode.ANSWER)
        any_assisted.said()
        any_assisted.think()
        any_assisted.said(text="Hello?", at=clock.now() + timedelta(seconds=1))
        with clock.travel(timedelta(hours=2)):
            any_assisted.read()  # it came too late to be answered
            assert [state for state, _reason in any_assisted.states()] == ["sent"]
            assert turn_worker.give_forgotten()
            assert not turn_worker.give_forgotten()
        assert any_assisted.handled_by() == "person"

    def test_nobody_waits_for_one_that_was_stopped(self, any_assisted: Assisted) -> None:
        any_assisted.attach(Mode.ANSWER)
        any_assisted.said()
        any_assisted.think()
        any_assisted.said(text="Hello?")
        assert not turn_worker.give_forgotten()
        any_assisted.stop()
        any_assisted.read()
        assert turn_worker.give_forgotten()
        assert any_assisted.handled_by() == "person"

    def test_what_another_program_has_stays_with_it(self, assisted: Assisted) -> None:
        assisted.attach(Mode.OFF)
        assisted.said()
        assisted.leave_to_automation()
        with clock.travel(timedelta(hours=2)):
            assert not turn_worker.give_forgotten()


class TestLimits:
    @pytest.mark.parametrize(
        ("limits", "reason"),
        [
            (Limits(conversation=Cap(turns=1)), "limit_conversation"),
            (Limits(day=Cap(turns=1)), "limit_day"),
            (Limits(day=Cap(tokens=1000)), "limit_day"),
            (Limits(month=Cap(money=1000)), "limit_month"),
        ],
    )
    def test_what_may_be_used_ends(self, assisted: Assisted, limits: Limits, reason: str) -> None:
        assisted.attach(Mode.ANSWER, limits=limits)
        big = limits.month.money > 0
        if big:
            with mock.patch.object(turn_worker.limits, "MOST_SENT_TOKENS", 0):
                assisted.said()
                assisted.think()
        else:
            assisted.said()
            assisted.think()
        assisted.said(text="And to Sweden?")
        assisted.think()
        assert assisted.states()[-1] == ("handed_over", reason)
        assert assisted.handled_by() == "person"

    def test_a_turn_that_thinks_counts_with_the_most_it_may_cost(self, assisted: Assisted) -> None:
        assisted.attach(limits=Limits(month=Cap(money=100_000)))
        assisted.said()
        assisted.said("bo")
        assisted.read()
        with clock.travel(timedelta(seconds=10)), assisted.knowing():
            first, second = assisted.due()
            directory = assisted.desk.generation.directory
            assert isinstance(
                db.write(turn_worker._begin, first, directory, clock.now()), turn_worker.ClaimedTurn
            )
            begun = db.write(turn_worker._begin, second, directory, clock.now())
        assert isinstance(begun, tuple)
        assert begun[1].reason == "limit_month"


class TestShadow:
    """It thinks as where it suggests, and nobody sees it but whoever compares."""

    def test_what_a_person_answers_is_set_beside_it(self, any_assisted: Assisted) -> None:
        one = any_assisted
        one.attach(Mode.SHADOW)
        one.said(text="Do you ship to Norway?")
        assert one.think() == [TurnState.READY]
        with db.read() as session:
            row = session.get_one(Conversation, one.scene.conversation("ana"))
            assert suggestions.of(session, row.id, row.account_id) is None
        assert (one.texts(), one.activities(), one.notes()) == ([], [], [])
        assert one.handled_by() == "nobody"
        answer = one.answered(text="Yes, in a week.")
        one.read()
        (turn,) = one.turns()
        assert (turn.state, turn.reason, turn.outcome) == ("discarded", "answered", None)
        assert (turn.text, turn.answered_id) == (SHIPPING, answer)
        with db.read() as session:
            (pair,) = ratings.lately(session, one.assistant, show=ratings.TurnFilter.SHADOW)
        assert (pair.asked, pair.text, pair.beside) == ("Do you ship to Norway?", SHIPPING, "Yes, in a week.")

    def test_an_answer_that_comes_while_it_thinks_is_set_beside_it_too(self, assisted: Assisted) -> None:
        assisted.attach(Mode.SHADOW)
        assisted.said()
        answers: list[int] = []

        def answer() -> None:
            answers.append(assisted.answered(text="Yes."))
            assisted.read()

        assisted.model.meanwhile = answer
        assisted.think()
        (turn,) = assisted.turns()
        assert (turn.state, turn.text, turn.answered_id) == ("discarded", SHIPPING, answers[0])

    def test_it_hands_nothing_over_and_nobody_can_take_it(self, assisted: Assisted) -> None:
        assisted.attach(Mode.SHADOW)
        assisted.said()
        assisted.leave_to_automation()
        assisted.model.says = ModelAnswer(hands_over=True)
        assert assisted.think() == [TurnState.HANDED_OVER]
        assert assisted.handled_by() == "automation"
        assert (assisted.activities(), assisted.notes()) == ([], [])
        assisted.time.enter_context(clock.travel(timedelta(minutes=20)))
        assert not turn_worker.give_forgotten()
        assert assisted.handled_by() == "automation"
        assisted.model.says = ANSWER
        assisted.said(text="And to Sweden?")
        assert assisted.think() == [TurnState.READY]
        conversation, turn = assisted.scene.conversation("ana"), assisted.turns()[-1].id
        place = assisted.desk.workspace, conversation, turn
        by = Actor(ActorKind.USER, assisted.desk.mia.id)
        with pytest.raises(suggestions.SuggestionNotFoundError):
            do(suggestions.dismiss, *place, actor=by)
        adapter = assisted.desk.generation.directory.adapter("email")
        with pytest.raises(suggestions.SuggestionNotFoundError):
            do(suggestions.accept, *place, adapter=adapter, hold=Hold(), actor=by)
        assert assisted.texts() == []

    def test_no_tool_that_changes_anything_is_used(self, assisted: Assisted) -> None:
        assisted.attach(Mode.SHADOW, builtin=("label", "close", "contact", "hand_over"))
        assisted.label("vip")
        told: list[str] = []

        def says(_ask: Any, call: Any) -> ModelAnswer:
            told.extend([call("label", {"label": "vip"}), call("close", {}), call("contact", {})])
            return ANSWER

        assisted.model.says = says
        assisted.said()
        assisted.think()
        assert told[:2] == [tools.TRIAL, tools.TRIAL]
        assert told[2] != tools.TRIAL
        assert assisted.calls() == [("contact", "done")]
        assert assisted.status() == "open"

    def test_what_is_as_good_counts_and_limits_hold(self, assisted: Assisted) -> None:
        id_ = assisted.attach(Mode.SHADOW, limits=Limits(conversation=Cap(turns=1)))
        assisted.said()
        assisted.think()
        assisted.answered()
        assisted.read()
        account = assisted.desk.account.id
        with db.read() as session:
            assert assistants.earned(session, id_, [account]) == {}
        do(ratings.judge, assisted.desk.workspace, id_, assisted.turns()[0].id, right=True)
        with db.read() as session:
            assert assistants.earned(session, id_, [account]) == {account: 1}
        assisted.said(text="And to Sweden?")
        assert assisted.think() == [TurnState.HANDED_OVER]
        assert assisted.states()[-1] == ("handed_over", "limit_conversation")

    def test_what_was_thought_in_shadow_is_not_shown_later(self, assisted: Assisted) -> None:
        id_ = assisted.attach(Mode.SHADOW)
        assisted.said()
        assisted.think()
        place = assisted.desk.workspace, id_, assisted.desk.account.id
        do(assistants.set_mode, *place, mode=Mode.SUGGEST, answers_on=[], needed=50)
        assert assisted.states() == [("discarded", "mode")]


def told(desk: Assisted) -> list[tuple[str, str]]:
    """Return what programs are told of assistants, with the reasons."""
    query = sa.select(DomainEvent.kind, DomainEvent.data).where(DomainEvent.kind.like("assistant.%"))
    with db.read() as session:
        rows = session.execute(query.order_by(DomainEvent.id)).all()
    return [(kind, json.loads(data).get("reason", "")) for kind, data in rows]


class TestToldPrograms:
    def test_each_end_of_a_turn_is_recorded_once_and_nothing_that_was_said(self, assisted: Assisted) -> None:
        assisted.attach()
        assisted.said()
        assisted.think()
        assisted.model.says = ModelAnswer(hands_over=True)
        assisted.said(text="More?")
        assisted.think()
        assisted.model.says = ModelError("model_refused")
        assisted.said(text="Still?")
        assisted.think()
        assert told(assisted) == [
            ("assistant.suggested", ""),
            ("assistant.handed_over", "no_source"),
            ("assistant.failed", "model_refused"),
        ]
        with db.read() as session:
            kept = session.execute(sa.text("SELECT data FROM domain_events WHERE kind LIKE 'assistant.%'"))
            assert "Norway" not in str(kept.all())

    def test_an_answer_of_its_own_is_told_and_shadow_is_not(self, assisted: Assisted) -> None:
        assisted.attach(Mode.ANSWER)
        assisted.said()
        assisted.think()
        assert told(assisted) == [("assistant.answered", "")]
        assisted.change(mode=Mode.SHADOW)
        assisted.said("ben")
        assisted.think()
        assert told(assisted) == [("assistant.answered", "")]


class TestTaps:
    def test_one_with_an_answer_of_its_own_is_left_alone(self, any_assisted: Assisted) -> None:
        any_assisted.attach()
        keep(any_assisted, {"Open?": Answer("From 9 to 18."), "Order?": Answer()})
        tap(any_assisted, "Open?")
        assert any_assisted.think() == []
        assert any_assisted.turns() == []
        tap(any_assisted, "Order?")
        assert any_assisted.think() == [TurnState.READY]

    def test_what_a_tap_was_answered_is_not_asked_again(self, assisted: Assisted) -> None:
        assisted.attach()
        keep(assisted, {"Open?": Answer("From 9 to 18.")})
        tap(assisted, "Open?")
        assisted.read()
        assisted.run()
        assert assisted.automatic() == ["From 9 to 18."]
        assisted.said(text="Do you ship to Norway?")
        assert assisted.think() == [TurnState.READY]
        assert [one.messages for one in assisted.turns()] == [1]
