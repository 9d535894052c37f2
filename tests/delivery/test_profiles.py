"""Names come after the message, by a job of their own; that they fail costs a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.delivery import profiles
from host.delivery.profiles import fetch, fetch_due
from host.inbox import erasure
from host.models.channels import AccountState
from host.models.inbox import Contact, ContactIdentity
from host.queue import policy
from host.sdk.channel import AccountRef, NoProfile, Profile
from tests import helpers
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk, ToyAdapter
from tests.helpers import work

Travel = Callable[[timedelta], None]


def identity() -> ContactIdentity:
    with db.read() as session:
        return session.scalars(sa.select(ContactIdentity)).one()


def test_a_profile_that_is_due_is_asked_for_once_and_told_to_browsers(any_desk: Desk) -> None:
    any_desk.customer_wrote()
    any_desk.toy.profiles = [Profile("Anna", "anna.a", {"verified": True})]
    assert fetch_due(any_desk.generation.directory) == 1
    row = identity()
    assert (row.name, row.username, row.profile) == ("Anna", "anna.a", {"verified": True})
    assert (row.profile_due_at, row.profile_failures) == (None, 0)
    with db.read() as session:
        assert session.scalars(sa.select(Contact.name)).one() == "Anna"
    assert helpers.shown()[-1].topic == "conversation"
    assert fetch_due(any_desk.generation.directory) == 0
    assert any_desk.toy.asked == ["anna"]


@pytest.mark.parametrize("answer", [NoProfile("later", retry=True), RuntimeError("boom")])
def test_a_failure_is_tried_again_ever_more_rarely(
    desk: Desk, travel: Travel, answer: NoProfile | Exception
) -> None:
    desk.customer_wrote()
    desk.toy.profiles = [answer] * 20
    waits = []
    for _ in range(20):
        fetch_due(desk.generation.directory)
        due = identity().profile_due_at
        if due is None:
            break
        waits.append(due - clock.now())
        travel(due - clock.now() + timedelta(seconds=1))
    assert len(waits) == len(policy.PROFILE_DELAYS)
    assert waits == sorted(waits)
    assert desk.texts() == ["hello"]


def test_no_profile_for_good_is_not_asked_again(desk: Desk) -> None:
    desk.customer_wrote()
    desk.toy.profiles = [NoProfile("consent", retry=False)]
    fetch_due(desk.generation.directory)
    assert identity().profile_due_at is None


def test_a_disconnected_account_asks_nobody(desk: Desk) -> None:
    desk.customer_wrote()
    desk.set_account(state=AccountState.DISCONNECTED)
    fetch_due(desk.generation.directory)
    assert desk.toy.asked == []
    assert identity().profile_due_at is None


def test_without_its_addon_a_profile_waits(desk: Desk) -> None:
    desk.customer_wrote()
    desk.generation.directory.adapters.clear()
    fetch_due(desk.generation.directory)
    assert identity().profile_due_at is not None


def due() -> list[timedelta]:
    with db.read() as session:
        rows = session.scalars(sa.select(ContactIdentity.profile_due_at).order_by(ContactIdentity.id)).all()
    return [(at - clock.now()) if at is not None else timedelta(0) for at in rows]


def test_a_limit_of_the_account_is_met_once_and_waited_for_no_longer_than_it_lasts(
    any_desk: Desk, travel: Travel
) -> None:
    for number in range(30):
        any_desk.customer_wrote(f"c{number}")
    any_desk.toy.profiles = [NoProfile("slowly", retry=True, retry_after=120.0)]
    fetch_due(any_desk.generation.directory)
    assert len(any_desk.toy.asked) == 1, "the others would only make it longer"
    assert {round(wait.total_seconds() / 10) for wait in due()} == {12}
    travel(timedelta(seconds=121))
    while fetch_due(any_desk.generation.directory):
        pass
    assert len(any_desk.toy.asked) == 31
    with db.read() as session:
        assert set(session.scalars(sa.select(ContactIdentity.profile_due_at))) == {None}


def test_a_limit_of_one_account_does_not_keep_the_names_of_another(desk: Desk) -> None:
    other = desk.connect("200")
    desk.customer_wrote()
    desk.customer_wrote(account=other)
    desk.toy.profiles = [NoProfile("slowly", retry=True, retry_after=120.0)]
    fetch_due(desk.generation.directory)
    assert len(desk.toy.asked) == 2


def test_names_do_not_wait_while_only_sending_does(desk: Desk) -> None:
    desk.customer_wrote()
    desk.set_account(blocked_until=clock.now() + timedelta(hours=1), blocked_reason="Slowly.")
    assert fetch_due(desk.generation.directory) == 1
    assert desk.toy.asked


# Several at once


class TogetherAdapter(ToyAdapter):
    """A channel that can be asked for several customers in one request."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[tuple[int, Sequence[str]]] = []
        self.answers: Mapping[str, Any] | Exception = {}

    def fetch_profiles(
        self, account: AccountRef, contacts: Sequence[str]
    ) -> Mapping[str, Profile | NoProfile]:
        self.together.append((account.id, contacts))
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers


def together(desk: Desk) -> TogetherAdapter:
    toy = TogetherAdapter()
    desk.toy = desk.generation.directory.adapters["email"] = toy
    return toy


def named() -> dict[str, str | None]:
    with db.read() as session:
        rows = session.execute(sa.select(ContactIdentity.external_id, ContactIdentity.name))
        return {row.external_id: row.name for row in rows}


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of profiles in each transaction that writes some."""
    seen: list[int] = []
    store = profiles._store

    def counted(session: Session, answers: Sequence[Any], limited: Mapping[int, float]) -> None:
        store(session, answers, limited)
        seen.append(len(answers))

    monkeypatch.setattr(profiles, "_store", counted)
    return seen


def test_a_round_asks_each_account_once_and_writes_once(any_desk: Desk, writes: list[int]) -> None:
    toy = together(any_desk)
    other = any_desk.connect("200")
    for number in range(10):
        any_desk.customer_wrote(f"c{number}", account=other if number > 5 else None)
    toy.answers = {f"c{number}": Profile(f"Customer {number}") for number in range(10)}
    before = len(helpers.shown())
    assert fetch_due(any_desk.generation.directory) == 10
    assert sorted(account for account, _ in toy.together) == sorted([any_desk.account.id, other.id])
    assert sorted(contact for _, asked in toy.together for contact in asked) == sorted(toy.answers)
    assert toy.asked == []
    assert writes == [10]
    assert named() == {f"c{number}": f"Customer {number}" for number in range(10)}
    told = helpers.shown()[before:]
    assert [one.topic for one in told] == ["conversation"] * 10, "each open thread shows its name"


def test_an_addon_that_knows_only_the_single_call_is_asked_one_by_one_and_written_once(
    desk: Desk, writes: list[int]
) -> None:
    for number in range(10):
        desk.customer_wrote(f"c{number}")
    refused: list[Any] = [NoProfile("403", retry=True), RuntimeError("boom"), None]
    desk.toy.profiles = [Profile("Ada"), *refused, *[Profile("Ada")] * 6]
    fetch_due(desk.generation.directory)
    assert len(desk.toy.asked) == 10
    assert writes == [10]
    assert sorted(name or "" for name in named().values()) == ["", "", "", *["Ada"] * 7]


def test_one_customer_alone_is_asked_for_by_the_single_call(desk: Desk) -> None:
    toy = together(desk)
    desk.customer_wrote()
    toy.profiles = [Profile("Anna")]
    fetch_due(desk.generation.directory)
    assert (toy.together, toy.asked, named()) == ([], ["anna"], {"anna": "Anna"})


@pytest.mark.parametrize(
    "answers", [{"b": Profile("Bo")}, {"b": Profile("Bo"), "a": None, "z": Profile("?")}, {}, RuntimeError()]
)
def test_who_is_not_answered_together_is_asked_for_alone(
    desk: Desk, answers: Mapping[str, Any] | Exception
) -> None:
    toy = together(desk)
    for contact in "abc":
        desk.customer_wrote(contact)
    toy.answers, toy.profiles = answers, [Profile("Alone")] * 3
    fetch_due(desk.generation.directory)
    answered = {"b"} if answers and not isinstance(answers, Exception) else set()
    assert set(toy.asked) == {"a", "b", "c"} - answered
    assert named() == {contact: "Bo" if contact in answered else "Alone" for contact in "abc"}


def test_a_limit_met_together_keeps_what_came_and_asks_for_nobody_else(desk: Desk) -> None:
    toy = together(desk)
    for contact in "abc":
        desk.customer_wrote(contact)
    toy.answers = {"a": Profile("Ada"), "b": NoProfile("slowly", retry=True, retry_after=120.0)}
    fetch_due(desk.generation.directory)
    assert toy.asked == []
    assert named() == {"a": "Ada", "b": None, "c": None}
    assert [round(wait.total_seconds() / 10) for wait in due()] == [0, 12, 12]


def test_a_profile_that_cannot_be_stored_does_not_spoil_its_neighbours(desk: Desk) -> None:
    toy = together(desk)
    for contact in "ab":
        desk.customer_wrote(contact)
    odd: Any = 7
    toy.answers = {"a": Profile("Ada", facts=odd), "b": Profile("Bo\x00\ud800", facts={"n": float("nan")})}
    fetch_due(desk.generation.directory)
    assert named() == {"a": None, "b": "Bo\ufffd"}
    assert [wait > timedelta(0) for wait in due()] == [True, False]


def test_two_accounts_of_one_contact_name_them_once(any_desk: Desk) -> None:
    toy = together(any_desk)
    for contact in "ab":
        any_desk.customer_wrote(contact)
    with db.read() as session:
        first, second = session.scalars(sa.select(ContactIdentity).order_by(ContactIdentity.id)).all()
    same = sa.update(ContactIdentity).where(ContactIdentity.id == second.id)
    db.write(lambda session: session.execute(same.values(contact_id=first.contact_id)) and None)
    toy.answers = {"a": Profile("Ada"), "b": Profile("Ada B.")}
    fetch_due(any_desk.generation.directory)
    with db.read() as session:
        assert session.get_one(Contact, first.contact_id).name == "Ada"
    assert named() == {"a": "Ada", "b": "Ada B."}


def test_a_job_that_found_little_waits_for_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "BATCH", 2)
    desk.customer_wrote("a")
    assert not fetch(desk.generation.directory)
    for number in range(50):
        desk.customer_wrote(f"c{number}")
    assert fetch(desk.generation.directory)


# Beside everything else


def during(toy: ToyAdapter, act: Callable[[], object], answer: Profile | NoProfile) -> None:
    """Let *act* happen while the provider is asked."""

    def asked(account: AccountRef, contact: str) -> Profile | NoProfile:
        toy.asked.append(contact)
        act()
        return answer

    toy.fetch_profile = asked  # type: ignore[method-assign]


def test_messages_do_not_wait_for_a_name_and_no_lane_is_held(any_desk: Desk, door: Door) -> None:
    toy = any_desk.toy
    door.receive(any_desk.account.id, "one")
    any_desk.drain()
    assert any_desk.texts() == ["one"], "it is in the inbox, and nobody was asked who wrote it"
    assert toy.asked == []

    def more() -> None:
        assert [lane.key for lane in any_desk.lanes() if lane.lease_until is not None] == []
        assert not db.current().is_inside
        door.receive(any_desk.account.id, "two")
        assert any_desk.drain() == 1

    during(toy, more, Profile("Anna"))
    fetch_due(any_desk.generation.directory)
    assert any_desk.texts() == ["one", "two"]
    assert identity().name == "Anna"


def test_who_is_erased_while_they_are_asked_about_stays_erased(any_desk: Desk) -> None:
    any_desk.customer_wrote()

    def erase() -> None:
        with db.read() as session:
            contact = session.scalars(sa.select(Contact.id)).one()
        db.write(lambda session: erasure.erase(work(session, any_desk.workspace_id), contact))

    during(any_desk.toy, erase, Profile("Anna", "anna.a", {"about": "Anna"}, "https://example.com/a.jpg"))
    fetch_due(any_desk.generation.directory)
    row = identity()
    assert (row.name, row.username, row.profile, row.picture_url) == (None, None, {}, None)
    assert row.profile_due_at is None
    with db.read() as session:
        assert "Anna" not in session.scalars(sa.select(Contact.name)).all()
    any_desk.customer_wrote()
    assert identity().profile_due_at is not None, "who writes again is asked about anew"


def test_an_account_disconnected_meanwhile_is_asked_no_more(desk: Desk, travel: Travel) -> None:
    desk.customer_wrote()
    disconnect = lambda: desk.set_account(state=AccountState.DISCONNECTED)  # noqa: E731
    during(desk.toy, disconnect, NoProfile("the credentials are gone", retry=True))
    fetch_due(desk.generation.directory)
    travel(timedelta(days=2))
    fetch_due(desk.generation.directory)
    assert desk.toy.asked == ["anna"]
    assert identity().profile_due_at is None


def test_what_a_dead_process_had_not_written_is_fetched_again(
    any_desk: Desk, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = together(any_desk)
    for contact in "ab":
        any_desk.customer_wrote(contact)
    toy.answers = {"a": Profile("Ada"), "b": Profile("Bo")}

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(profiles, "_store", die)
        with pytest.raises(SystemExit):
            fetch_due(any_desk.generation.directory)
    assert named() == {"a": None, "b": None}
    assert fetch_due(any_desk.generation.directory) == 0, "another process may still be asking"
    travel(policy.PROFILE_CLAIM + timedelta(seconds=1))
    assert fetch_due(any_desk.generation.directory) == 2
    assert named() == {"a": "Ada", "b": "Bo"}


def test_a_slow_provider_is_asked_no_longer_than_the_claim_lasts(
    desk: Desk, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for contact in "abc":
        desk.customer_wrote(contact)
    passed = [0.0]
    monkeypatch.setattr(profiles, "clock", SimpleNamespace(now=clock.now, monotonic=lambda: passed[0]))

    def answer_late() -> None:
        passed[0] += profiles.ROUND_SECONDS + 1

    during(desk.toy, answer_late, Profile("Ada"))
    fetch_due(desk.generation.directory)
    assert len(desk.toy.asked) == 1
    with db.read() as session:
        waiting = sa.select(ContactIdentity.profile_failures).where(ContactIdentity.name.is_(None))
        assert session.scalars(waiting).all() == [0, 0], "they have not failed"
    travel(policy.PROFILE_CLAIM + timedelta(seconds=1))
    fetch_due(desk.generation.directory)
    assert len(desk.toy.asked) == 2
