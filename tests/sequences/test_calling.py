"""Steps that ask a program: over real sockets, slow, wrong and hostile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from host.core import clock, db
from host.models.inbox import Conversation, Handler
from host.sequences import program_calls, sequences, signing_secrets, toml_form, waits
from host.sequences.body import (
    PROGRAM,
    Ask,
    Body,
    Branch,
    Call,
    Case,
    End,
    Hand,
    Keep,
    Say,
    SequenceError,
    Step,
    plain,
    read,
)
from host.sequences.models import SequenceRun, SequenceSecret, SequenceVisit, WaitsFor
from host.sequences.proofs import Limits, prove
from host.sequences.sequences import NotPublishableError
from tests.helpers import do
from tests.receiver import Receiver, receiving
from tests.sequences.sequenced import Sequenced

NUMBER = Ask(id="number", text="Which order?", kind="number", variable="order")
FOUND = Say(id="found", text='It is {{answer.status || "unknown"}}.')


@pytest.fixture
def program() -> Iterator[Receiver]:
    with receiving() as found:
        found.words = b'{"status": "on its way"}'
        yield found


def call(program: Receiver, *keeps: tuple[str, str], failed: str = "") -> Call:
    kept = tuple(Keep(field=field, variable=name) for field, name in keeps)
    return Call(id="look", url=program.url, keeps=kept, failed=failed)


def status(program: Receiver, **more: Any) -> tuple[Step, ...]:
    return (NUMBER, call(program, ("status", "status"), **more), FOUND, End(id="end"))


def asked(desk: Sequenced, *steps: Step, **more: Any) -> int:
    """Let a customer answer the question, so that the call is due; return the sequence."""
    id_ = desk.sequence(*steps, **more)
    desk.said(text="order")
    desk.run()
    desk.said(text="12345")
    desk.run()
    return id_


def called(desk: Sequenced) -> int:
    """Make the calls that are due, and do what follows; return how many they were."""
    done = program_calls.drain(desk.desk.generation.directory)
    desk.run()
    return done


def refused(desk: Sequenced) -> list[str]:
    with db.read() as session:
        found = session.query(SequenceVisit.refused).filter(SequenceVisit.refused.is_not(None))
        return [one for (one,) in found]


def test_an_answer_is_kept_and_said(any_sequenced: Sequenced, program: Receiver) -> None:
    desk = any_sequenced
    id_ = asked(desk, *status(program))
    assert desk.last.waits_for == WaitsFor.CALL
    assert not program.got, "it is asked by its own job"
    assert called(desk) == 1
    assert desk.automatic() == ["Which order?", "It is on its way."]
    assert (desk.last.outcome, desk.answers()) == ("done", {"order": "12345", "status": "on its way"})
    (request,) = program.got
    with db.read() as session:
        secret = signing_secrets.read(session, id_)
    assert secret is not None
    told = Webhook(secret.reveal()).verify(request.body, request.headers)
    assert told == request.told
    assert (told["type"], told["answers"], told["step"]) == ("sequence.call", {"order": "12345"}, "look")
    assert told["contact"]["id"] == desk.last.contact_id
    assert request.id.startswith(f"seq_{desk.last.id}_2_")
    assert called(desk) == 0


def test_nested_fields_numbers_and_truth_are_kept_as_text(sequenced: Sequenced, program: Receiver) -> None:
    program.words = json.dumps(
        {"order": {"state": "sent\x00\u202e", "items": 3}, "paid": True, "long": "x" * 5000}
    ).encode()
    keeps = [("order.state", "state"), ("order.items", "items"), ("paid", "paid"), ("long", "long")]
    asked(sequenced, NUMBER, call(program, *keeps), End(id="end"))
    called(sequenced)
    kept = sequenced.answers()
    assert (kept["state"].startswith("sent"), kept["items"], kept["paid"]) == (True, "3", "true")
    assert "\x00" not in kept["state"]
    assert len(kept["long"]) == 500


def test_a_branch_goes_by_an_answer_of_a_program(sequenced: Sequenced, program: Receiver) -> None:
    branch = Branch(
        id="which", cases=(Case(variable="status", value="on its way", to="found"),), then="people"
    )
    asked(
        sequenced,
        NUMBER,
        call(program, ("status", "status")),
        branch,
        Hand(id="people"),
        FOUND,
        End(id="end"),
    )
    called(sequenced)
    assert sequenced.automatic()[-1] == "It is on its way."


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (b"", "not_json"),
        (b"<html>", "not_json"),
        (b'{"status"', "not_json"),
        (b"[1]", "field_missing"),
        (b'{"status": null}', "field_missing"),
        (b'{"status": {"a": 1}}', "field_missing"),
        (b'{"other": "x"}', "field_missing"),
        (b'{"status": " "}', "field_missing"),
        (b'{"status": 1e999}', "field_missing"),
        (json.dumps({str(number): number for number in range(4000)}).encode(), "field_missing"),
        (b'{"status": "' + b"x" * 70_000 + b'"}', "too_large"),
        (b"[" * 60_000, "not_json"),
        (b'{"status": ' + b"9" * 5000 + b"}", "not_json"),
    ],
)
def test_an_answer_that_does_not_fit_takes_the_way_out(
    sequenced: Sequenced, program: Receiver, words: bytes, why: str
) -> None:
    program.words = words
    asked(sequenced, *status(program, failed="sorry"), Say(id="sorry", text="Sorry"), Hand(id="people"))
    called(sequenced)
    assert sequenced.automatic()[-1] == "Sorry"
    assert refused(sequenced) == [why]
    assert len(program.got) == 1, "asking again would not help"


def test_without_a_way_out_people_take_over(sequenced: Sequenced, program: Receiver) -> None:
    program.script = [404]
    asked(sequenced, *status(program))
    called(sequenced)
    assert (sequenced.last.outcome, sequenced.last.reason) == ("people", "call_failed")
    assert refused(sequenced) == ["status_404"]


def test_a_redirect_is_not_followed(sequenced: Sequenced, program: Receiver) -> None:
    program.script, program.headers = [302], {"Location": "http://169.254.169.254/latest"}
    asked(sequenced, *status(program))
    called(sequenced)
    assert refused(sequenced) == ["status_302"]


def test_what_passes_is_asked_again_with_the_same_id(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    program.script = [503, 429]
    asked(desk, *status(program))
    assert called(desk) == 1
    assert called(desk) == 0, "not at once"
    with clock.travel(program_calls.PAUSES[0]):
        assert called(desk) == 1
    with clock.travel(program_calls.PAUSES[0] + program_calls.PAUSES[1]):
        assert called(desk) == 1
    assert len(set(program.ids)) == 1
    assert len(program.ids) == 3
    assert desk.automatic()[-1] == "It is on its way."


def test_after_the_last_try_it_failed(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    program.script = [500] * 9
    asked(desk, *status(program, failed="sorry"), Say(id="sorry", text="Sorry"), Hand(id="people"))
    for minutes in range(5):
        with clock.travel(timedelta(minutes=minutes)):
            called(desk)
    assert len(program.got) == 3
    assert desk.automatic()[-1] == "Sorry"


@pytest.mark.parametrize(
    "url", ["http://shop.example/", "ftp://shop.example", "shop.example", " ", "https://"]
)
def test_only_https_is_saved(sequenced: Sequenced, url: str) -> None:
    with pytest.raises(SequenceError) as caught:
        sequenced.sequence(NUMBER, Call(id="look", url=url), End(id="end"))
    assert caught.value.field == "steps.1.url"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/x", "https://169.254.169.254/"])
def test_a_private_address_is_never_asked(
    sequenced: Sequenced, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    asked(sequenced, NUMBER, Call(id="look", url=url), End(id="end"))
    for minutes in range(4):
        with clock.travel(timedelta(minutes=minutes)):
            called(sequenced)
    assert refused(sequenced) == ["no_answer"]
    assert sequenced.last.reason == "call_failed"


def test_a_killed_worker_is_followed_by_another_that_asks_with_the_same_id(
    any_sequenced: Sequenced, program: Receiver
) -> None:
    desk = any_sequenced
    asked(desk, *status(program))
    claimed = db.write(program_calls.claim, 9, (), lambda _workspace: 9, clock.now())  # then it is killed
    assert len(claimed) == 1
    assert called(desk) == 0
    with clock.travel(program_calls.LEASE):
        assert called(desk) == 1
    assert desk.automatic()[-1] == "It is on its way."
    # The first one was only frozen: what it brings is late, and changes nothing.
    db.write(
        program_calls.settle,
        claimed[0],
        program_calls.Outcome({"status": "lost"}),
        desk.desk.generation.directory,
        clock.now(),
    )
    desk.run()
    assert desk.answers()["status"] == "on its way"
    assert desk.automatic().count("It is on its way.") == 1


def test_a_frozen_worker_that_brings_a_failure_late_changes_nothing(
    sequenced: Sequenced, program: Receiver
) -> None:
    desk, directory = sequenced, sequenced.desk.generation.directory
    asked(desk, *status(program))
    (frozen,) = db.write(program_calls.claim, 9, (), lambda _workspace: 9, clock.now())
    with clock.travel(program_calls.LEASE):
        db.write(program_calls.claim, 9, (), lambda _workspace: 9, clock.now())
        db.write(
            program_calls.settle, frozen, program_calls.Outcome(None, "status_404"), directory, clock.now()
        )
    assert desk.last.waits_for == WaitsFor.CALL


def test_two_workers_ask_once(any_sequenced: Sequenced, program: Receiver) -> None:
    asked(any_sequenced, *status(program))
    claims = [db.write(program_calls.claim, 9, (), lambda _workspace: 9, clock.now()) for _ in range(2)]
    assert [len(one) for one in claims] == [1, 0]


def test_without_a_secret_people_take_over(sequenced: Sequenced, program: Receiver) -> None:
    asked(sequenced, *status(program))
    db.write(lambda session: session.query(SequenceSecret).delete())
    called(sequenced)
    assert not program.got
    assert (sequenced.last.outcome, refused(sequenced)) == ("people", ["unreadable"])


def test_what_no_process_ever_notes_is_left_to_people(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    asked(desk, *status(program))
    for number in range(program_calls.MOST_TRIES):
        with clock.travel(number * program_calls.LEASE):
            assert len(db.write(program_calls.claim, 9, (), lambda _workspace: 9, clock.now())) == 1
    with clock.travel(program_calls.MOST_TRIES * program_calls.LEASE):
        assert called(desk) == 1
    assert not program.got
    assert desk.last.outcome == "people"


def test_an_answer_that_breaks_off_is_asked_for_again(sequenced: Sequenced, program: Receiver) -> None:
    program.headers = {"content-length": "5000"}
    asked(sequenced, *status(program))
    with db.read() as session:
        (one,) = session.query(SequenceRun).all()
    assert called(sequenced) == 1
    assert sequenced.last.waits_for == WaitsFor.CALL
    assert sequenced.last.due_at is not None
    assert one.id == sequenced.last.id


def test_the_template_is_not_published_with_its_example(sequenced: Sequenced) -> None:
    with pytest.raises(NotPublishableError) as caught:
        sequenced.sequence(Call(id="look", url=PROGRAM), End(id="end"))
    assert caught.value.field == "steps.0.url"


def test_stop_and_people_come_before_an_answer(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    asked(desk, *status(program))
    program.before = lambda _one: (desk.said(text="STOP"), desk.run())
    called(desk)
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "opted_out")
    assert desk.automatic() == ["Which order?"]


def test_a_person_who_took_over_meanwhile_is_not_interrupted(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    asked(desk, *status(program))
    program.before = lambda _one: desk.scene.reply("ana", "I look it up", clock.now())
    called(desk)
    assert (desk.last.outcome, desk.last.reason) == ("stopped", "person")
    assert "It is on its way." not in desk.automatic()


def test_what_they_write_meanwhile_is_left_to_the_sequence(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    asked(desk, *status(program))
    desk.said(text="hello?")
    desk.run()
    assert desk.last.waits_for == WaitsFor.CALL
    called(desk)
    assert desk.automatic()[-1] == "It is on its way."


def test_one_who_asks_for_a_person_does_not_wait_for_a_program(
    sequenced: Sequenced, program: Receiver
) -> None:
    desk = sequenced
    asked(desk, *status(program), people=("somebody real",))
    desk.said(text="somebody real")
    desk.run()
    assert called(desk) == 0
    assert (desk.last.outcome, desk.last.reason) == ("people", "asked")


def test_a_slow_program_keeps_no_lane_and_no_other_workspace_waiting(
    sequenced: Sequenced, program: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, directory = sequenced, sequenced.desk.generation.directory
    monkeypatch.setattr(program_calls, "MOST_OF_WORKSPACE", 1)
    monkeypatch.setattr(program_calls, "_open", program_calls._Open())
    go_on = threading.Event()
    program.before = lambda _one: go_on.wait(20)
    asked(desk, *status(program))
    try:
        program_calls.call_due(directory)
        until(lambda: program_calls._open.free == program_calls.MOST_OPEN - 1)
        assert program_calls._open.full() == [desk.desk.workspace]
        began = time.monotonic()
        desk.said(text="are you there?")
        waits.run_due(directory)
        assert desk.scene.reply("ana", "Yes", clock.now()), "the conversation is nobody's meanwhile"
        assert time.monotonic() - began < 10
        assert not program_calls.call_due(directory), "the workspace has as many as it may"
    finally:
        go_on.set()
    until(lambda: program_calls._open.free == program_calls.MOST_OPEN)


def until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_secret_signs_from_then_on(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    id_ = asked(desk, *status(program))
    secret = do(sequences.replace_secret, desk.desk.workspace, id_)
    called(desk)
    Webhook(secret.reveal()).verify(program.got[0].body, program.got[0].headers)


def test_a_call_is_no_word_of_the_customer() -> None:
    look = Call(id="look", url="https://shop.example/status")
    body = Body(steps=(Say(id="say", text="Hi"), look, Say(id="again", text="Still", then="look")))
    assert [one.code for one in prove(body, Limits(timedelta(hours=24))).problems][:1] == ["loop"]
    late = Body(steps=(look, Say(id="say", text="Hi"), End(id="end")))
    assert not prove(late, Limits(timedelta(minutes=1))).problems
    assert [one.code for one in prove(late, Limits(timedelta(seconds=59))).problems] == ["window"]


def test_it_can_be_written_as_toml(sequenced: Sequenced) -> None:
    look = Call(
        id="look",
        url="https://shop.example/status",
        keeps=(Keep(field="order.status", variable="status"), Keep(field="eta", variable="eta")),
        failed="people",
    )
    body = Body(steps=(look, End(id="end"), Hand(id="people")))
    with db.read() as session:
        there = sequences.there(session, sequenced.desk.workspace)
    assert toml_form.from_toml(toml_form.to_toml("Orders", body, there), there) == ("Orders", body)
    assert read(plain(body)) == body


@pytest.mark.parametrize(
    ("keep", "field"),
    [
        (Keep(field="", variable="x"), "steps.0.keeps.0.field"),
        (Keep(field="a..b", variable="x"), "steps.0.keeps.0.field"),
        (Keep(field="x" * 200, variable="x"), "steps.0.keeps.0.field"),
        (Keep(field="x", variable="Ä b"), "steps.0.keeps.0.variable"),
    ],
)
def test_bad_fields_are_refused_with_their_place(sequenced: Sequenced, keep: Keep, field: str) -> None:
    with pytest.raises(SequenceError) as caught:
        sequenced.sequence(Call(id="look", url="https://shop.example/", keeps=(keep,)), End(id="end"))
    assert caught.value.field == field


def test_a_deleted_run_is_no_fault(sequenced: Sequenced, program: Receiver) -> None:
    desk = sequenced
    asked(desk, *status(program))
    program.before = lambda _one: db.write(lambda session: session.query(SequenceRun).delete())
    called(desk)
    assert not desk.runs()
    with db.read() as session:
        talk = session.get_one(Conversation, desk.scene.conversation("ana"))
        assert talk.handled_by in {Handler.AUTOMATION, Handler.NOBODY}
