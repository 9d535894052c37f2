"""How fast a bot sends: what Telegram allows, and what is more in its turn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from host.authoring.desk import TrialDesk
from host.sdk import clock
from host.sdk.channel import AccountRef, ReactRequest, SendRequest
from host.sdk.messages import MessageKind, OutgoingPart

NewCustomer = Callable[[], Any]
SOME_SECONDS = timedelta(seconds=6)


@pytest.mark.slow
def test_a_bot_sends_thirty_messages_a_second_and_one_to_each_chat(
    desk: TrialDesk, customer: NewCustomer, telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.later(SOME_SECONDS)  # what others sent counts no more
    everybody = [customer() for _ in range(32)]
    for one in everybody:
        assert one.deliver(one.update_of(text="Hello?")) == 200
    desk.work()
    before = len(telegram.sent)
    for one in everybody:
        desk.reply(str(one.chat), "First")
    desk.reply(str(everybody[0].chat), "Second")
    stopped = clock.now()
    with monkeypatch.context() as patch:
        patch.setattr("host.core.clock.now", lambda: stopped)
        desk.work()
    assert [fields["text"] for _method, fields, _data in telegram.sent[before:]] == ["First"] * 30
    desk.later(SOME_SECONDS)
    texts = [fields["text"] for _method, fields, _data in telegram.sent[before:]]
    assert sorted(texts) == ["First"] * 32 + ["Second"]
    assert all(message.state == "sent" for one in everybody for message in one.thread if message.state)


def test_what_a_message_counts_against(desk: TrialDesk, account: AccountRef) -> None:
    adapter = desk.adapter("telegram")

    def limits(chat: str) -> dict[str, tuple[int, int]]:
        part = OutgoingPart(MessageKind.TEXT, "Hello")
        found = adapter.limits(SendRequest(account, chat, part, "f" * 32))
        return {one.key.split()[0]: (one.amount, one.seconds) for one in found}

    assert limits("501") == {"bot": (30, 1), "chat": (1, 1)}
    assert limits("-100501") == {"bot": (30, 1), "chat": (1, 1), "group": (20, 60)}
    assert adapter.limits(ReactRequest(account, "501", "501:7", "👍")) == []
