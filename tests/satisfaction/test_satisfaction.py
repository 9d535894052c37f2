"""Customers are asked once after a closing; their taps are the addon's alone, and their scores are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.running import contributions
from host.authoring.desk import RefusedFormError, trial_desk
from host.core import clock, db
from host.core.backports.values import replace
from host.core.clock import Days
from host.delivery.worker import drain
from host.events import reading
from host.events.models import ActorKind
from host.events.reading import BEGINNING
from host.inbox import erasure
from host.inbox.conversation_actions import set_fields
from host.inbox.panels import calling
from host.inbox.panels.report_sections import query_of, read
from host.models.inbox import ConversationStatus, DeliveryState, Handler, Message, Origin
from host.models.notifications import Notification
from host.reports.counting import Counting
from host.reports.models import Span
from host.sdk import desk as sdk_desk
from host.sdk.api import ApiCall, ApiRefusalError
from host.sdk.channel import AccountRef
from host.sdk.desk import QuickReply
from host.sdk.messages import ConversationHandedOver, Handover, MessageKind, MessageUnsent, Program, Who
from host.sdk.panels import ContactIdentity, CustomerContext, Entry, Tone
from host.sdk.reports import Counts, Number
from host.sdk.rules import AskedAbout
from host.users.actor import Actor
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.notifications.telling import tell
from tests.satisfaction.conftest import ADDON, SLUG, Asking, Survey, module

QUESTION = "How did we do?\n\nYou can also answer with a number: 1 is bad, 5 is very good."
THANKS = "Thank you! Is there anything you would like to add?"
api, beside, reports, rules = module("api"), module("beside"), module("reports"), module("rules")


def test_a_customer_is_asked_and_their_tap_reopens_nothing(any_survey: Survey) -> None:
    survey = any_survey
    survey.talked()
    assert survey.automatic() == [QUESTION]
    assert [title for title, _payload in survey.buttons()] == ["1", "2", "3", "4", "5"]
    assert survey.state() == ("closed", 0, False)
    before = survey.talk().last_message_at
    with clock.travel(timedelta(minutes=5)):
        survey.tap(4)
        survey.hear()
    assert survey.state() == ("closed", 0, False)
    assert survey.rows() == [("asked", 4, None)]
    assert survey.automatic() == [QUESTION, THANKS]
    assert survey.talk().last_message_at == before
    with db.read() as session:
        tapped = session.scalars(sa.select(Message).where(Message.kind == "quick_reply")).one()
    assert (tapped.text, tapped.content["claimed_by"]) == ("4", SLUG)


def test_what_is_passed_again_changes_nothing(survey: Survey) -> None:
    survey.talked()
    survey.tap(5)
    survey.hear()
    survey.heard_until = BEGINNING
    survey.hear()
    assert survey.rows() == [("asked", 5, None)]
    assert survey.automatic() == [QUESTION, THANKS]


def test_faces_and_texts_are_the_workspaces(survey: Survey) -> None:
    survey.fill_in(
        survey.desk.workspace, scale="faces", question="Wie war es?", explanation="1 bis 5?", thanks="Danke!"
    )
    survey.talked()
    assert [title for title, _payload in survey.buttons()] == ["😞", "🙁", "😐", "🙂", "😀"]
    survey.tap(1)
    survey.hear()
    assert survey.rows() == [("asked", 1, None)]
    assert survey.automatic() == ["Wie war es?\n\n1 bis 5?", "Danke!"]


def test_nobody_is_asked_while_it_is_switched_off(survey: Survey) -> None:
    survey.fill_in(survey.desk.workspace, enabled=False)
    survey.talked()
    assert survey.rows() == []
    assert survey.automatic() == []


@pytest.fixture
def shared(survey: Survey, monkeypatch: pytest.MonkeyPatch) -> Survey:
    """Let several programs answer on the channel, of which another one has the conversation."""
    several = replace(Asking.capabilities, responder_keeps=timedelta(hours=24))
    monkeypatch.setattr(Asking, "capabilities", several)
    survey.said(content={"standby": True})
    return survey


def test_nobody_is_asked_where_another_program_answers(shared: Survey) -> None:
    shared.close()
    shared.hear()
    assert shared.automatic() == []
    assert shared.rows() == [("answered_elsewhere", None, None)]


def test_a_question_that_waits_is_taken_back_where_another_program_answers(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = replace(Asking.capabilities, responder_keeps=timedelta(hours=24))
    monkeypatch.setattr(Asking, "capabilities", several)
    monkeypatch.setattr(survey, "send", lambda: None)
    survey.said()
    survey.close()
    survey.hear()
    assert survey.automatic() == [QUESTION]
    taken = ConversationHandedOver("ana", clock.now(), Handover.TAKEN, "", Program(Who.BOT, "", "The agent"))
    survey.scene.apply(taken)
    drain(survey.desk.generation, direction="out")
    with db.read() as session:
        asked = session.scalars(
            sa.select(Message).where(Message.origin == Origin.SYSTEM, Message.state.is_not(None))
        )
        assert [(one.state, one.error["code"]) for one in asked] == [
            (DeliveryState.CANCELLED, "answered_elsewhere")
        ]


def test_nobody_is_thanked_where_another_program_answers(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey.talked()
    several = replace(Asking.capabilities, responder_keeps=timedelta(hours=24))
    monkeypatch.setattr(Asking, "capabilities", several)
    survey.scene.apply(ConversationHandedOver("ana", clock.now(), Handover.TAKEN))
    title, payload = survey.buttons()[3]
    survey.said(text=title, kind=MessageKind.QUICK_REPLY, content={"payload": payload, "standby": True})
    survey.hear()
    assert survey.rows() == [("asked", 4, None)], "the score counts"
    assert survey.automatic() == [QUESTION]


def test_a_workspace_asks_by_its_own_settings(survey: Survey) -> None:
    other = helpers.make_workspace("Other Pottery")
    account = toys.make_account(other)
    survey.said("bo", account=account)
    survey.close("bo")
    survey.talked("ana")
    assert survey.automatic("bo") == []
    survey.fill_in(other, enabled=True, question="And?", explanation="1 to 5?")
    survey.said("bo", account=account)
    survey.close("bo")
    survey.hear()
    assert survey.automatic("bo") == ["And?\n\n1 to 5?"]
    survey.tap(2, "bo", account=account)
    survey.hear()
    today = clock.now().date()
    report = {id_: figures(id_, today) for id_ in (survey.desk.workspace, other)}
    assert [(one.asked, one.answered, one.average) for one in report.values()] == [(1, 0, None), (1, 1, 2.0)]


def figures(workspace: int, first: date, last: date | None = None) -> Any:
    query = api.Period(from_=first, to=last or first)
    return api.report(ApiCall(workspace, query, None, "Program"))


def section(survey: Survey, accounts: Any = None, *, later: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the Reports page shows of a week: value and earlier value of each number, and the tables.

    :param later: in how many days the week ends.
    """
    last = clock.now().date() + timedelta(days=later)
    days = Days(last - timedelta(days=6), last)
    query = query_of(survey.desk.workspace, days, accounts, None)
    blocks = read(reports.SECTION, query, "Customer satisfaction")
    numbers = {one.label: (one.value, one.before) for one in blocks if isinstance(one, Number)}
    return numbers, {one.title: one.rows for one in blocks if isinstance(one, Counts)}


def test_the_reports_page_has_figures_scores_and_reasons(any_survey: Survey) -> None:
    survey = any_survey
    assert section(survey) == ({}, {})
    survey.said("bo", at=clock.now() - timedelta(days=8))
    survey.close("bo")
    survey.talked("ana")
    survey.talked("kit")
    survey.talked("ana")
    survey.tap(4, "ana")
    survey.said("ana", text="Quick!")
    survey.hear()
    numbers, tables = section(survey)
    assert numbers == {
        "Asked": (2, None),
        "Answered": (1, None),
        "Answer rate": (0.5, None),
        "Average score": (4.0, None),
        "Comments": (1, None),
    }
    scores = [("5 of 5", 0), ("4 of 5", 1), ("3 of 5", 0), ("2 of 5", 0), ("1 of 5", 0)]
    assert tables == {"Scores": scores, "Not asked": [("Reply window closed", 1), ("Asked recently", 1)]}


def test_the_reports_page_compares_with_the_period_before(survey: Survey) -> None:
    survey.talked("ana")
    survey.tap(5, "ana")
    survey.hear()
    with clock.travel(timedelta(days=7)):
        survey.talked("kit")
    numbers, tables = section(survey, later=7)
    assert numbers["Asked"] == (1, 1)
    assert numbers["Answered"] == (0, 1)
    assert numbers["Answer rate"] == (0.0, 1.0)
    assert numbers["Average score"] == (None, 5.0)
    assert tables == {}


def test_the_reports_page_counts_only_the_chosen_accounts(survey: Survey) -> None:
    survey.talked("ana")
    account = survey.talk("ana").account_id
    assert section(survey, [account])[0]["Asked"] == (1, None)
    assert section(survey, [account + 1]) == ({}, {})
    assert section(survey, []) == ({}, {})


# ---- who is not asked ----------------------------------------------------------------------------------


def test_a_closed_window_is_counted(any_survey: Survey) -> None:
    survey = any_survey
    survey.said("ana", at=clock.now() - timedelta(days=2))
    survey.said("bo", at=clock.now() - timedelta(days=8))
    for contact in ("ana", "bo"):
        survey.close(contact)
    survey.talked("kit")
    survey.tap(3, "kit")
    survey.hear()
    assert survey.rows() == [("people_only", None, None), ("window_closed", None, None), ("asked", 3, None)]
    today = clock.now().date()
    found = figures(survey.desk.workspace, today)
    assert found == api.SatisfactionReport(
        asked=1,
        answered=1,
        average=3.0,
        not_asked=api.NotAsked(window_closed=2, asked_recently=0, other=0),
    )
    before = today - timedelta(days=1)
    assert figures(survey.desk.workspace, before).asked == 0


def test_a_customer_is_not_asked_again_within_the_time(survey: Survey) -> None:
    survey.fill_in(survey.desk.workspace, days=10)
    survey.talked()
    for days, asked in ((9, 1), (11, 2)):
        with clock.travel(timedelta(days=days)):
            survey.talked()
            assert survey.automatic().count(QUESTION) == asked
    assert [outcome for outcome, _score, _comment in survey.rows()] == ["asked", "asked_recently", "asked"]
    assert figures(survey.desk.workspace, clock.now().date() + timedelta(days=9)).not_asked == (
        api.NotAsked(window_closed=0, asked_recently=1, other=0)
    )


def test_a_conversation_that_is_closed_again_is_not_asked_twice(survey: Survey) -> None:
    survey.talked()
    survey.reopen()
    survey.close()
    survey.hear()
    assert survey.automatic() == [QUESTION]
    assert [row[0] for row in survey.rows()] == ["asked", "asked_recently"]


def test_one_that_is_open_again_is_not_asked(survey: Survey) -> None:
    survey.said()
    survey.close()
    survey.reopen()
    survey.hear()
    assert survey.rows() == [("reopened", None, None)]


def test_nobody_is_asked_long_after_the_closing(survey: Survey) -> None:
    survey.said()
    survey.close()
    with clock.travel(timedelta(hours=2)):
        survey.hear()
    assert survey.rows() == [("late", None, None)]
    assert survey.automatic() == []


def test_a_customer_who_opted_out_is_never_asked(survey: Survey) -> None:
    survey.said(text="STOP")
    survey.close()
    survey.hear()
    assert survey.rows() == [("opted_out", None, None)]
    assert survey.automatic() == []
    found = figures(survey.desk.workspace, clock.now().date())
    assert found.not_asked.other == 1


def test_a_channel_without_quick_replies_is_not_asked(survey: Survey) -> None:
    adapter = toys.WINDOWED
    sdk_desk.provide(type(survey.desk.generation.directory)([adapter]), sdk_desk._running.grants)
    survey.said()
    survey.close()
    survey.hear()
    assert survey.rows() == [("quick_replies_not_supported", None, None)]


# ---- taps ----------------------------------------------------------------------------------------------


def test_the_first_of_two_taps_counts(survey: Survey) -> None:
    survey.talked()
    survey.tap(2)
    survey.tap(5)
    survey.hear()
    assert survey.rows() == [("asked", 2, None)]
    assert survey.automatic() == [QUESTION, THANKS]
    assert survey.state() == ("closed", 0, False)


def test_a_tap_after_a_month_is_no_score_and_starts_nothing(survey: Survey) -> None:
    survey.set(greets=True, greeting="Welcome")
    survey.talked()
    with clock.travel(timedelta(days=40)):
        survey.tap(5)
        survey.hear()
        survey.run()
    assert survey.rows() == [("asked", None, None)]
    assert survey.automatic() == [QUESTION]
    assert survey.state() == ("closed", 0, False)


def test_a_tap_is_an_ordinary_message_while_the_addon_is_off(survey: Survey) -> None:
    survey.set(greets=True, greeting="Welcome")
    survey.talked()
    survey.turn(on=False)
    with clock.travel(timedelta(days=40)):
        survey.tap(5)
        survey.run()
        assert survey.automatic() == [QUESTION, "Welcome"]
    assert survey.state() == ("open", 1, True)
    survey.turn(on=True)
    survey.hear()
    assert survey.rows() == [("asked", None, None)]


@pytest.mark.parametrize("forge", ["score", "question", "text", "key"])
def test_a_payload_that_was_not_offered_is_an_ordinary_message(survey: Survey, forge: str) -> None:
    survey.talked()
    _title, payload = survey.buttons()[4]
    key, row, score = payload.rsplit(":", 2)
    forged = {
        "score": f"{key}:{row}:6",
        "question": f"{key}:{int(row) + 1}:{score}",
        "text": f"{row}:{score}",
        "key": f"{key[:-1]}{'A' if key[-1] != 'A' else 'B'}:{row}:{score}",
    }[forge]
    survey.tap_payload("5", forged)
    survey.hear()
    assert survey.rows() == [("asked", None, None)]
    assert survey.state() == ("open", 1, True)


def test_nobody_answers_for_somebody_else(survey: Survey) -> None:
    survey.talked("ana")
    survey.said("bo")
    survey.tap(1, "ana", by="bo")
    survey.hear()
    assert survey.rows() == [("asked", None, None)]
    assert survey.state("bo") == ("open", 2, True)
    assert survey.state("ana") == ("closed", 0, False)


def test_a_tap_while_the_conversation_is_open_is_claimed_too(survey: Survey) -> None:
    survey.talked()
    survey.reopen()
    survey.tap(3)
    survey.hear()
    assert survey.rows() == [("asked", 3, None)]
    assert survey.state()[:2] == ("open", 0)


def test_a_tap_notifies_nobody_and_is_no_wait_in_reports(survey: Survey) -> None:
    survey.said()
    do(
        set_fields,
        survey.desk.workspace,
        survey.scene.conversation("ana"),
        {"assignee_id": survey.desk.mia.id},
    )
    survey.scene.reply("ana", "Yes.", clock.now())
    survey.close()
    survey.hear()
    tell()
    before = counted()
    survey.tap(4)
    tell()
    assert counted() == before
    survey.said()
    tell()
    notices, waits = counted()
    assert (notices, waits) == (before[0] + 1, before[1] + 2)  # the whole conversation, and the first answer


def counted() -> tuple[int, int]:
    """Return the number of notifications, and of the spans that reports would have begun."""
    reading.number_all()

    class Windows:
        def __call__(self, *_args: object) -> None:
            return None

    def spans(session: Session) -> int:
        session.execute(sa.delete(Span))
        Counting(Windows()).consume(session, reading.after(session, BEGINNING, 500).events)
        return session.scalar(sa.select(sa.func.count()).select_from(Span)) or 0

    begun = db.write(spans)
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Notification)) or 0, begun


def test_a_person_who_wrote_in_the_app_after_closing_keeps_it_silent(survey: Survey) -> None:
    survey.said()
    survey.close()
    survey.scene.echo("ana", "One more thing", clock.now())
    assert survey.talk().handled_by == Handler.PERSON
    survey.hear()
    assert survey.rows()[0][0] in {"person", "reopened"}
    assert survey.automatic() == []


def test_a_reply_without_after_closing_is_still_refused(survey: Survey) -> None:
    survey.said()
    survey.close()
    result = sdk_desk.of(SLUG).reply(survey.scene.conversation("ana"), "Hello", key="one")
    assert (result.queued, result.reason) == (False, "closed_by_team")


def test_quick_replies_without_a_claim_keep_their_payloads(survey: Survey) -> None:
    survey.said()
    acts, conversation = sdk_desk.of(SLUG), survey.scene.conversation("ana")
    first = acts.reply(conversation, "Which?", quick_replies=["Red", QuickReply("Blue", "B")], key="one")
    again = acts.reply(
        conversation, "Which?", quick_replies=[QuickReply("Red", "Red"), QuickReply("Blue", "B")], key="one"
    )
    assert (first.queued, again.message_ids) == (True, first.message_ids)
    assert survey.buttons() == [("Red", "Red"), ("Blue", "B")]
    survey.tap_payload("Blue", "B")
    assert survey.state() == ("open", 2, True)


# ---- comments ------------------------------------------------------------------------------------------


def rated(survey: Survey, score: int = 2, contact: str = "ana") -> None:
    survey.talked(contact)
    survey.tap(score, contact)
    survey.hear()


def test_the_next_text_is_a_comment_and_an_ordinary_message(any_survey: Survey) -> None:
    survey = any_survey
    rated(survey)
    with clock.travel(timedelta(minutes=9)):
        survey.said(text="It took long")
        survey.said(text="Where is my parcel?")
        survey.hear()
    assert survey.rows() == [("asked", 2, "It took long")]
    assert survey.state() == ("open", 2, True)


def test_a_later_text_is_none(survey: Survey) -> None:
    rated(survey)
    with clock.travel(timedelta(minutes=11)):
        survey.said(text="Hello again")
        survey.hear()
    assert survey.rows() == [("asked", 2, None)]


def test_a_comment_goes_with_its_message(survey: Survey) -> None:
    rated(survey)
    survey.said(text="It took long", external_id="long")
    survey.hear()
    survey.scene.apply(MessageUnsent(contact="ana", external_id="long", at=clock.now()))
    survey.hear()
    assert survey.rows() == [("asked", 2, None)]
    survey.said(text="And the lid is cracked")
    survey.hear()
    assert survey.rows() == [("asked", 2, None)], "only the first text is a comment"


def test_a_text_that_is_unsent_before_it_is_heard_is_no_comment(survey: Survey) -> None:
    rated(survey)
    survey.said(text="It took long", external_id="long")
    survey.scene.apply(MessageUnsent(contact="ana", external_id="long", at=clock.now()))
    survey.hear()
    assert survey.rows() == [("asked", 2, None)]


def test_erasing_a_customer_erases_their_comment(survey: Survey) -> None:
    rated(survey)
    survey.said(text="It took long")
    survey.hear()
    do(
        erasure.erase,
        survey.desk.workspace,
        survey.talk().contact_id,
        actor=Actor(ActorKind.USER, survey.desk.mia.id),
    )
    survey.hear()
    assert survey.rows() == [("asked", 2, None)]


def test_a_comment_whose_message_was_deleted_is_tidied_away(survey: Survey) -> None:
    rated(survey)
    survey.said(text="It took long")
    survey.hear()
    survey.keeping.tidy()
    assert survey.rows() == [("asked", 2, "It took long")]
    db.write(lambda session: session.execute(sa.delete(Message).where(Message.text == "It took long")))
    survey.keeping.tidy()
    assert survey.rows() == [("asked", 2, None)]


# ---- what people and programs see ----------------------------------------------------------------------


def shown(survey: Survey, *, identities: Sequence[ContactIdentity] | None = None) -> list[Entry]:
    conversation = survey.talk()
    known = [ContactIdentity("email", "ana", None)] if identities is None else identities
    place = conversation.id if identities is None else None
    customer = CustomerContext(survey.desk.workspace, conversation.contact_id, place, "Ana Q.", None, known)
    with survey.desk.app.test_request_context():
        return list(calling.blocks_of(beside.PANEL, customer, "Customer satisfaction"))


def test_the_panel_shows_score_and_comment(survey: Survey) -> None:
    survey.said()
    assert shown(survey) == []
    survey.talked()
    (entry,) = shown(survey)
    assert (entry.badge, entry.tone) == ("No answer yet", Tone.NEUTRAL)
    survey.tap(2)
    survey.hear()
    survey.said(text="It took long")
    survey.hear()
    (entry,) = shown(survey)
    assert entry == Entry("2 of 5", detail="It took long", badge="Dissatisfied", tone=Tone.BAD)
    assert shown(survey, identities=[ContactIdentity("email", "ana", None)]) == [entry]
    assert shown(survey, identities=[]) == [], "somebody who may not see that account"


def test_a_rule_asks_for_the_last_score(any_survey: Survey) -> None:
    survey = any_survey
    rated(survey, 1)
    with clock.travel(timedelta(days=31)):
        rated(survey, 5)
    rated(survey, 3, "bo")
    account = AccountRef(1, "u", survey.desk.workspace, "email", "x", "Shop", "shop")
    contacts = [survey.talk("ana").contact_id, survey.talk("bo").contact_id, None]
    subjects = [AskedAbout(account, "text", "", {}, {}, contact_id=one) for one in contacts]
    facts = rules.facts(subjects)
    assert facts == [{"score": 5}, {"score": 3}, {}]

    def met(at: int) -> list[str]:
        about = AskedAbout(account, "text", "", {}, {}, facts=facts[at])
        return [value for value, _label in rules.CONDITION.choices if rules.CONDITION.holds(about, value)]

    assert [met(0), met(1), met(2)] == [["high"], ["middle"], []]


def test_wrong_periods_are_refused() -> None:
    first = date(2026, 1, 1)
    for last in (date(2025, 12, 31), first + timedelta(days=366)):
        with pytest.raises(ApiRefusalError) as refused:
            figures(1, first, last)
        assert refused.value.field == "to"


def test_sending_the_question_reopens_nothing(survey: Survey) -> None:
    survey.said()
    survey.close()
    survey.hear()
    with db.read() as session:
        states = session.scalars(sa.select(Message.state).where(Message.text == QUESTION)).all()
    assert states == [DeliveryState.SENT]
    assert survey.talk().status == ConversationStatus.CLOSED


@pytest.mark.slow
def test_it_runs_on_a_desk(tmp_path: Path) -> None:
    with trial_desk(ADDON, tmp_path / "desk") as desk:
        with pytest.raises(RefusedFormError):
            desk.fill_in({"days": "0"})
        desk.fill_in({"enabled": "1", "days": "10", "scale": "faces"})
        page = desk.get(f"/w/{desk.workspace_id}/settings/addons/{SLUG}")
        assert page.status_code == 200
        assert "Days between questions" in page.text
        desk.run_job("tidy")
        route = next(one for _slug, one in desk.application.generation().each(contributions.ROUTES))
        query = desk.module("api").Period(from_=date(2026, 1, 1), to=date(2026, 1, 31))
        answer = route.run(ApiCall(desk.workspace_id, query, None, "Program"))
        assert (answer.asked, answer.average) == (0, None)
        assert desk.report("satisfaction.figures") == []
