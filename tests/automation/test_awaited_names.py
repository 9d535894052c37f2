"""A text with the name of a new customer waits a moment for what the provider knows."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import texts
from host.core import clock, db
from host.models.automation import AutomationRun, RunState
from host.models.inbox import ContactIdentity
from host.sdk.channel import NoProfile
from tests.automation.automated import GREETING, Automated


@pytest.fixture
def greets(automated: Automated, monkeypatch: pytest.MonkeyPatch) -> Automated:
    """A desk on a channel with profiles, which greets by name."""
    adapter = type(automated.desk.generation.directory.adapters[0])
    monkeypatch.setattr(adapter, "fetch_profile", lambda *_: NoProfile("later", retry=True))
    automated.set(greets=True, greeting=GREETING)
    return automated


def change_identity(**values: object) -> None:
    def use_case(session: Session) -> None:
        session.execute(sa.update(ContactIdentity).values(values))

    db.write(use_case)


def make_due() -> list[tuple[str, bool]]:
    """Let runs that were put off be due; return each run's state, and whether it was put off."""

    def use_case(session: Session) -> list[tuple[str, bool]]:
        now = clock.now()
        runs = session.scalars(sa.select(AutomationRun).order_by(AutomationRun.id)).all()
        found = [(run.state, run.due_at is not None and run.due_at > now) for run in runs]
        session.execute(sa.update(AutomationRun).where(AutomationRun.due_at > now).values(due_at=now))
        return found

    return db.write(use_case)


def test_a_greeting_waits_for_the_name_of_a_new_customer(greets: Automated) -> None:
    greets.said("ana", name=None)
    greets.run()
    assert greets.automatic() == []
    assert make_due() == [(RunState.DUE, True)]
    change_identity(name="Ana Quist", profile_due_at=None)
    greets.run()
    assert greets.automatic() == ["Hello Ana, we answer soon."]


@pytest.mark.parametrize(
    "known",
    [
        {"created_at": clock.now() - timedelta(seconds=3)},
        {"profile_due_at": None},
        {"profile_failures": 1},
    ],
    ids=["two seconds later", "no name known", "the provider did not answer"],
)
def test_it_does_not_wait_longer(greets: Automated, known: dict[str, object]) -> None:
    greets.said("ana", name=None)
    change_identity(**known)
    greets.run()
    assert greets.automatic() == ["Hello there, we answer soon."]


def test_what_is_due_for_the_same_customer_waits_with_it(greets: Automated) -> None:
    greets.set(routes=True, team_id=greets.team(greets.person("Mia")))
    greets.said("ana", name=None)
    greets.said("bo")
    greets.read()
    with db.read() as session:
        before = session.scalars(sa.select(AutomationRun.kind).order_by(AutomationRun.id)).all()
    assert len(before) == 4
    greets.run()
    states = make_due()
    assert [put_off for _state, put_off in states].count(True) >= 1
    assert greets.automatic("bo") == ["Hello Bo, we answer soon."]
    change_identity(profile_due_at=None)
    greets.run()
    with db.read() as session:
        query = sa.select(AutomationRun.id).where(AutomationRun.state == RunState.DUE)
        assert session.scalars(query).all() == []
    assert greets.automatic() == ["Hello there, we answer soon."]


def test_a_text_without_the_name_does_not_wait(greets: Automated) -> None:
    greets.set(greeting="Hello from {{account.name}}!")
    greets.said("ana", name=None)
    greets.run()
    assert len(greets.automatic()) == 1


def test_only_an_unknown_name_is_awaited() -> None:
    awaited = {texts.NAME_AWAITED: "yes", "contact.handle": "@ana"}
    with pytest.raises(texts.NameAwaitedError):
        texts.filled('Hi {{contact.name || contact.handle || "there"}}', awaited)
    assert texts.filled('Hi {{contact.handle || "there"}}', awaited) == "Hi @ana"
    assert texts.filled('Hi {{contact.name || "there"}}', {**awaited, "contact.name": "Ana"}) == "Hi Ana"
