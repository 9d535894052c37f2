"""What holds an inbox against the truth about WhatsApp notices each way to be wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest

from host.models.inbox import DeliveryState
from tests.torture.whatsapp import compare
from tests.torture.whatsapp_traffic import Customers, Truth, Written, reaction, signed, state_of
from tests.whole.history import Accepted

ANN = "15550001"


def message(id_: str, text: str, **more: Any) -> dict[str, Any]:
    return {
        "external_id": id_,
        "direction": "inbound",
        "text": text,
        "state": None,
        "conversation_id": 1,
        "customer": ANN,
        **more,
    }


def reply(id_: str | None, text: str, state: str) -> dict[str, Any]:
    return message(id_ or "", text, external_id=id_, direction="outbound", state=state)


@pytest.fixture
def truth() -> Truth:
    made = Truth()
    made.written[ANN] = [
        Written("a", ANN, 1, "one", edits=[(3, "one!"), (2, "one?")]),
        Written("b", ANN, 1, None),
    ]
    made.statuses |= {"x": {"sent", "failed"}, "y": {"read"}}
    made.reactions["a"] = {5: "", 4: "👍"}
    return made


SENDS = [
    {"mid": "x", "customer": ANN, "text": "answer 1.1"},
    {"mid": "y", "customer": ANN, "text": "answer 1.2"},
]
ACCEPTED = [Accepted(ANN, "answer 1.1"), Accepted(ANN, "answer 1.2")]
ROWS = [
    message("a", "one!"),
    message("b", "a place"),
    reply("x", "answer 1.1", "failed"),
    reply("y", "answer 1.2", "read"),
]


def broken(
    truth: Truth, rows: list[Any], sends: list[Any] = SENDS, reactions: Any = ()
) -> dict[str, list[str]]:
    return {
        name: said for name, said in compare(truth, ACCEPTED, sends, rows, reactions).broken.items() if said
    }


def test_an_inbox_that_shows_the_truth_breaks_nothing(truth: Truth) -> None:
    assert broken(truth, ROWS) == {}


@pytest.mark.parametrize(
    ("rows", "invariant", "words"),
    [
        (ROWS[1:], "I1", "lost: a"),
        ([ROWS[0], *ROWS], "I1", "doubled: a"),
        ([ROWS[1], ROWS[0], *ROWS[2:]], "I3", "out of order"),
        ([message("a", "one?"), *ROWS[1:]], "I3", "says 'one!'"),
        ([*ROWS, message("wamid.made-up.1", "made up")], "I2", "made up"),
        ([*ROWS, message("c", "", conversation_id=2)], "I3", "several conversations"),
        ([*ROWS[:2], reply("x", "answer 1.1", "sent"), ROWS[3]], "I4", "is sent; its statuses say failed"),
        ([*ROWS[:3], reply("y", "answer 1.2", "delivered")], "I4", "is delivered; its statuses say read"),
        (ROWS[:3], "I5", "'answer 1.2' is shown 0 times"),
        ([*ROWS[:2], ROWS[3], ROWS[2]], "I3", "shown out of order"),
        ([*ROWS[:2], reply("y", "answer 1.1", "failed"), ROWS[3]], "I5", "the id of another message"),
    ],
)
def test_each_way_to_be_wrong_is_blamed(truth: Truth, rows: list[Any], invariant: str, words: str) -> None:
    assert words in " ".join(broken(truth, rows).get(invariant, []))


def test_a_reply_that_a_status_names_is_confirmed(truth: Truth) -> None:
    silent = reply(None, "answer 1.2", "unknown")
    assert "'answer 1.2' is unconfirmed" in broken(truth, [*ROWS[:3], silent])["I4"][0]
    del truth.statuses["y"]
    assert "I4" not in broken(truth, [*ROWS[:3], silent])


def test_a_reply_sent_twice_or_never_is_blamed(truth: Truth) -> None:
    assert "sent 2 times" in broken(truth, ROWS, [*SENDS, SENDS[1]])["I5"][0]
    assert "were sent out of order" in broken(truth, ROWS, SENDS[::-1])["I3"][0]
    assert "was never sent" in broken(truth, ROWS, SENDS[:1])["I5"][0]


def test_a_reaction_that_was_taken_back_is_not_shown(truth: Truth) -> None:
    assert (
        "the reaction to a" in broken(truth, ROWS, reactions=[{"external_id": "a", "emoji": "👍"}])["I3"][0]
    )


@pytest.mark.parametrize(
    ("words", "seen", "state"),
    [
        ({"sent"}, False, DeliveryState.SENT),
        ({"sent"}, True, DeliveryState.READ),
        ({"sent", "delivered"}, False, DeliveryState.DELIVERED),
        ({"failed"}, True, DeliveryState.FAILED),
        ({"failed", "delivered"}, True, DeliveryState.FAILED),
        ({"failed", "read"}, False, DeliveryState.READ),
    ],
)
def test_statuses_say_one_state_in_any_order(words: set[str], seen: bool, state: DeliveryState) -> None:
    assert state_of(words, seen=seen) is state


def test_the_traffic_is_the_same_for_a_seed_and_loses_nothing() -> None:
    def made() -> tuple[list[Any], Truth]:
        truth = Truth()
        return list(Customers([ANN, "15550002"], 400, "7", 1_800_000_000.0, truth).deliveries()), truth

    deliveries, truth = made()
    assert deliveries == made()[0]
    ids = [said["id"] for events in deliveries for _, said in events]
    assert len(ids) == len(set(ids)) >= 400
    assert {one.id for every in truth.written.values() for one in every} <= set(ids)
    kinds = {said["type"] for events in deliveries for _, said in events}
    assert {"text", "reaction", "edit", "revoke", "hologram"} <= kinds
    assert max(map(len, deliveries)) > 1
    # Some of what changes a message comes before it.
    assert any(
        "edit" in said and said["edit"]["original_message_id"] not in ids[: ids.index(said["id"])]
        for events in deliveries
        for _, said in events
    )


def test_a_reaction_is_part_of_the_truth() -> None:
    truth = Truth()
    said = reaction(random.Random(1), "m", 5, truth)
    assert truth.reactions["m"] == {5: said["reaction"]["emoji"]}


def test_a_signature_is_of_the_secret() -> None:
    assert signed([{}])[1] != signed([{}], "another")[1]
