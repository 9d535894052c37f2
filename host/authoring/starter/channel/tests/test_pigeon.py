"""From a customer's message to the team's answer, over HTTP both ways."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from host.authoring.desk import RefusedByCardError, TrialDesk
from host.sdk.channel import AccountRef

TOKEN = "a-token-of-pigeon"  # noqa: S105 - of the stand-in


@pytest.fixture(scope="module")
def account(desk: TrialDesk) -> AccountRef:
    return desk.connect("pigeon", {"token": TOKEN})


def deliver(desk: TrialDesk, account: AccountRef, sender: str, text: str, *, token: str = TOKEN) -> int:
    """Post an event as Pigeon does; return the status of the answer."""
    event = {"id": f"{sender}-{text}", "from": sender, "name": sender.title(), "text": text}
    body = json.dumps({"events": [{**event, "at": 1_790_000_000_000}]}).encode()
    signature = hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    return desk.post(f"/webhooks/pigeon/{account.uuid}", body, {"X-Pigeon-Signature": signature}).status_code


def test_a_customer_writes_and_is_answered(desk: TrialDesk, account: AccountRef, provider: Any) -> None:
    assert deliver(desk, account, "ann", "Are you open?") == 200
    assert deliver(desk, account, "ann", "Are you open?") == 200, "a redelivery"
    desk.work()
    assert [each.text for each in desk.messages("ann")] == ["Are you open?"]

    desk.reply("ann", "Until six.")
    desk.work()
    assert provider.sent[-1] == {"to": "ann", "text": "Until six."}
    answer = desk.messages("ann")[-1]
    assert (answer.direction, answer.state, answer.text) == ("outbound", "sent", "Until six.")


def test_what_pigeon_did_not_sign_is_refused(desk: TrialDesk, account: AccountRef) -> None:
    assert deliver(desk, account, "eve", "Believe me", token="guessed") == 401  # noqa: S106 - a wrong one
    desk.work()
    assert desk.messages("eve") == []


@pytest.mark.parametrize(("status", "state"), [(400, "failed"), (503, "unknown")])
def test_what_became_of_a_message_pigeon_did_not_take(
    desk: TrialDesk, account: AccountRef, provider: Any, status: int, state: str
) -> None:
    sender = f"bo{status}"
    deliver(desk, account, sender, "Hello?")
    desk.work()
    provider.refuse.append(status)
    desk.reply(sender, "Hello!")
    desk.work()
    assert desk.messages(sender)[-1].state == state


def test_a_message_pigeon_asks_to_wait_with_goes_out_later(
    desk: TrialDesk, account: AccountRef, provider: Any
) -> None:
    deliver(desk, account, "cy", "Hello?")
    desk.work()
    provider.refuse.append(429)
    desk.reply("cy", "Hello!")
    desk.work()
    assert desk.messages("cy")[-1].state == "queued"
    desk.later(timedelta(hours=1))
    assert desk.messages("cy")[-1].state == "sent"


def test_a_wrong_token_is_named_beside_its_field(desk: TrialDesk, account: AccountRef) -> None:
    with pytest.raises(RefusedByCardError) as refused:
        desk.connect("pigeon", {"token": "mistyped"})
    assert set(refused.value.problems) == {"token"}
