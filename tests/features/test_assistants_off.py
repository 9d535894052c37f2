"""Assistants that are switched off say and suggest nothing; what they stored is looked after all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.addons import switching
from host.assistants import turn_worker
from host.assistants.models import AssistantCase, Mode, TurnState
from host.core import clock, db
from host.features import registry
from host.inbox import erasure
from host.models.users import Role
from tests import helpers
from tests.assistants import conftest as assistants
from tests.assistants.assisting import Assisted

assisted, any_assisted = assistants.assisted, assistants.any_assisted

OFF = ["assistants"]


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    registry.switch_off(())


def let_go(assisted: Assisted) -> None:
    while switching.let_go(assisted.desk.generation.directory):
        pass


def pages(assisted: Assisted) -> dict[str, tuple[int, str]]:
    """Return what an owner gets at addresses of assistants, and on pages that speak of them."""
    desk = assisted.desk
    app = desk.make_app()
    owner = helpers.make_user(name="Olga O.", workspace=desk.workspace, role=Role.OWNER)
    browser = helpers.client_for(app, owner)
    below = f"/w/{desk.workspace}"
    addresses = {
        "assistants": f"{below}/assistants",
        "models": f"{below}/settings/models",
        "on the account": f"{below}/assistants/accounts/{desk.account.id}",
        "conversation": f"{below}/inbox/{assisted.scene.conversation('ana')}",
        "channels": f"{below}/settings/channels",
        "automation": f"{below}/settings/automation",
        "account": f"{below}/settings/channels/accounts/{desk.account.id}/messages",
    }
    answers = {name: browser.get(address, follow_redirects=True) for name, address in addresses.items()}
    return {name: (one.status_code, one.get_data(as_text=True)) for name, one in answers.items()}


def test_their_pages_and_every_way_there_are_gone(assisted: Assisted) -> None:
    assisted.attach(Mode.SUGGEST)
    assisted.said()
    assert assisted.think() == [TurnState.READY]
    own = {"assistants", "models", "on the account"}
    for off in ((), OFF):
        registry.switch_off(off)
        found = pages(assisted)
        assert {name for name, (status, _text) in found.items() if status != 200} == (own if off else set())
        for name in found.keys() - own:
            named = "/assistants" in found[name][1]
            assert named == (not off) if name in {"automation", "account"} else not (named and off), name
        assert ("/settings/models" in found["automation"][1]) == (not off)
        assert ("data-suggested" in found["conversation"][1]) == (not off)
        assert ("/suggestions/" in found["conversation"][1]) == (not off)


def test_a_suggestion_can_be_neither_taken_nor_dismissed(assisted: Assisted) -> None:
    assisted.attach(Mode.SUGGEST)
    assisted.said()
    assisted.think()
    registry.switch_off(OFF)
    path = assisted.desk.path(f"/{assisted.scene.conversation('ana')}/suggestions/{assisted.turns()[0].id}")
    for what in ("accept", "dismiss", "again"):
        assert assisted.desk.browser.post_form(f"{path}/{what}").status_code == 404
    assert assisted.texts() == []


@pytest.mark.slow
def test_programs_are_not_told_of_them(tmp_path: Path) -> None:
    def paths(**more: str) -> set[str]:
        environ = {**os.environ, "LOBBY_DATA": str(tmp_path), **more}
        command = [sys.executable, "-m", "host.cli", "openapi"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
        return set(json.loads(done.stdout)["paths"])

    gone = paths() - paths(LOBBY_FEATURES_OFF="assistants")
    assert {"/assistants", "/language-models", "/conversations/{conversation_id}/turns"} <= gone
    words = ("/assistants", "/turns", "/tool-calls", "/language-models")
    assert all(any(word in one for word in words) for one in gone)


def test_they_think_about_nothing(assisted: Assisted) -> None:
    assisted.attach(Mode.ANSWER)
    registry.switch_off(OFF)
    assisted.said()
    assert assisted.think() == []
    assert assisted.turns() == []
    assert assisted.texts() == []


def test_what_they_were_about_to_do_is_left_to_people(any_assisted: Assisted) -> None:
    any_assisted.attach(Mode.ANSWER)
    any_assisted.said()
    assert any_assisted.think() == [TurnState.SENT]
    assert any_assisted.handled_by() == "automation"
    any_assisted.said(text="And to Sweden?", at=clock.now() + timedelta(seconds=1))
    any_assisted.read()
    let_go(any_assisted)
    assert [state for state, _reason in any_assisted.states()] == ["sent", "waiting"], "they are on"

    registry.switch_off(OFF)
    let_go(any_assisted)
    assert any_assisted.states()[-1] == ("discarded", "mode")
    assert any_assisted.handled_by() == "person"

    registry.switch_off(())
    with clock.travel(timedelta(minutes=5)):
        assert any_assisted.due() == []
        assert not turn_worker.give_forgotten()
    assert len(any_assisted.texts()) == 1


def test_what_another_program_has_stays_with_it(assisted: Assisted) -> None:
    assisted.attach(Mode.SUGGEST)
    assisted.said()
    assisted.leave_to_automation()
    registry.switch_off(OFF)
    let_go(assisted)
    assert assisted.handled_by() == "automation"


def test_what_they_said_goes_with_the_message(any_assisted: Assisted) -> None:
    any_assisted.attach(Mode.SUGGEST)
    any_assisted.said()
    assert any_assisted.think() == [TurnState.READY]
    (turn,) = any_assisted.turns()

    def remember(session: db.Session) -> None:
        session.add(
            AssistantCase(
                workspace_id=turn.workspace_id,
                assistant_id=turn.assistant_id,
                conversation_id=turn.conversation_id,
                question="To Norway?",
                hands_over=False,
                says=["four"],
                never_says=[],
                answer="",
                created_at=clock.now(),
            )
        )

    db.write(remember)
    registry.switch_off(OFF)
    db.write(lambda session: registry.hooks().forget_messages(session=session, ids=[turn.message_id]))
    (left,) = any_assisted.turns()
    assert (left.state, left.reason, left.text, left.sources) == ("discarded", "taken_back", "", [])
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AssistantCase)) == 0


def test_nothing_of_them_is_left_of_an_erased_contact(assisted: Assisted) -> None:
    assisted.attach(Mode.SUGGEST)
    assisted.said()
    assisted.think()
    registry.switch_off(OFF)
    messages = [one.message_id for one in assisted.turns()]
    db.write(erasure.erase_messages, messages, clock.now())
    assert [one.text for one in assisted.turns()] == [""]


def test_lines_of_the_past_still_say_why(assisted: Assisted) -> None:
    registry.switch_off(OFF)
    assert str(registry.hooks().reason(key="no_source")) == "No answer found in its knowledge"
    assert registry.hooks().reason(key="of another release") is None
