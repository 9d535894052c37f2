"""Many accounts are looked at within what their providers allow, by any adapter that can be asked."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import timedelta
from typing import ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.delivery import look_interval, second_look
from host.models.channels import ChannelAccount
from host.models.queue import CatchUp, SecondLook
from host.sdk.channel import AccountRef, Capabilities
from host.sdk.history import HistoryRules, HistoryTrouble, LookRules, NewestPage
from tests.inbox import toys
from tests.inbox.toys import Toy

RULES = LookRules(calls_per_customer=200)


class Asked(Toy):
    """A toy whose provider can be asked, and where nothing ever happens."""

    capabilities: ClassVar[Capabilities] = Capabilities(history=HistoryRules(details=20), second_look=RULES)

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()

    def newest(self, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        self.asked[account.id] += 1
        return NewestPage()


class Directory:
    def __init__(self, adapter: Toy | None) -> None:
        self.one = adapter

    def adapter(self, _key: str) -> Toy | None:
        return self.one


def rows() -> list[SecondLook]:
    with db.read() as session:
        return list(session.scalars(sa.select(SecondLook)))


def test_only_accounts_whose_provider_can_be_asked_are_looked_at(database: db.Database) -> None:
    toys.make_account(toys.make_workspace())
    second_look.begin(Directory(None))
    second_look.begin(Directory(Toy()))
    assert rows() == []
    adapter = Asked()
    second_look.begin(Directory(adapter))
    assert len(rows()) == 1
    with clock.travel(timedelta(minutes=4)):
        assert second_look.step_due(Directory(None)) == 1, "its addon is not active: it waits"
        assert (len(rows()), adapter.asked) == (1, Counter())
    with clock.travel(timedelta(minutes=10)):
        second_look.step_due(Directory(Toy()))
        assert rows() == [], "it cannot be asked any more"


def test_an_adapter_that_raises_is_asked_again_and_named(database: db.Database) -> None:
    class Broken(Asked):
        def newest(self, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
            super().newest(account, after)
            raise RuntimeError("it broke")

    account = toys.make_account(toys.make_workspace())
    adapter = Broken()
    second_look.begin(Directory(adapter))
    for minutes in range(4, 12):
        with clock.travel(timedelta(minutes=minutes * 3)):
            second_look.step_due(Directory(adapter))
    assert adapter.asked[account.id] == 1 + len(second_look.DELAYS), "then it waits for the next check"
    (row,) = rows()
    assert row.problem is not None
    assert row.look_at > clock.now() + timedelta(hours=2)


def test_a_person_may_have_it_checked_at_once(database: db.Database) -> None:
    account = toys.make_account(toys.make_workspace())
    adapter = Asked()
    second_look.begin(Directory(adapter))
    assert db.write(second_look.ask, account.id, RULES)
    assert second_look.step_due(Directory(adapter)) == 1
    assert not db.write(second_look.ask, account.id, RULES), "a minute has not passed"
    assert adapter.asked == {account.id: 1}


@pytest.mark.parametrize("accounts", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_many_accounts_are_looked_at_within_their_limits(
    database: db.Database, monkeypatch: pytest.MonkeyPatch, accounts: int
) -> None:
    """An hour of simulated time; what it took of the processor is told, not asserted."""
    first = toys.make_account(toys.make_workspace())

    def more(session: Session) -> None:
        row = session.get_one(ChannelAccount, first.id)
        values = {column.name: getattr(row, column.name) for column in sa.inspect(ChannelAccount).columns}
        del values["id"]
        copies = [
            {**values, "uuid": f"{number:032x}", "external_id": f"a{number}", "claim": f"a{number}"}
            for number in range(1, accounts)
        ]
        session.execute(sa.insert(ChannelAccount), copies)
        session.execute(sa.update(CatchUp).values(next_at=None))

    db.write(more)
    customers = {0: 0, 1: 3, 2: 40, 3: 150}
    monkeypatch.setattr(look_interval, "count_customers", lambda _session, id_, _now: customers[id_ % 4])
    adapter = Asked()
    began = time.process_time()
    busiest = 0
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    second_look.begin(Directory(adapter))
    for _ in range(720):
        before = adapter.asked.total()
        while second_look.step_due(Directory(adapter)) == second_look.AT_ONCE:
            pass
        busiest = max(busiest, adapter.asked.total() - before)
        at += timedelta(seconds=5)
    print(f"{accounts} accounts: {adapter.asked.total()} calls, {time.process_time() - began:.1f} s")
    assert len(adapter.asked) == accounts, "each is looked at"
    for account_id, calls in adapter.asked.items():
        within = customers[account_id % 4] * 200 * look_interval.SHARE / 24
        assert calls <= max(1, math.ceil(within)) + 1, "the check at the start, and what 2 % pay for"
    often = [calls for account_id, calls in adapter.asked.items() if account_id % 4 == 3]
    assert min(often) >= 19, "every three minutes where that is paid for"
    assert busiest <= max(8, accounts / 8), "they are spread"
