"""A real delivery becomes a fixture that reads the same and says nothing about anybody."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.delivery.models import InboundEvent
from host.health import recorder
from host.health.recorder import NotRecordableError, anonymised, record, vocabulary
from host.sdk.messages import Ignored, MessageReceived
from host.sdk.testing import all_recorded, recorded
from host.sdk.webhooks import Envelope
from tests.delivery.desk import ToyAdapter
from tests.instagram import world
from tests.instagram.conftest import ig
from tests.instagram.world import Addon

__all__ = ["ig"]

GOLDEN = sorted((Path(__file__).parents[1] / "instagram" / "golden" / "receive").glob("*.json"))
KNOWN = frozenset({"image", "share"})

texts = st.text(max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(one) for one in value.values()]
    if isinstance(value, list):
        return [shape(one) for one in value]
    return (
        (type(value).__name__, len(value.encode("utf-8", "surrogatepass")))
        if isinstance(value, str)
        else type(value).__name__
    )


@given(json_values)
def test_no_word_survives_and_the_shape_does(value: Any) -> None:
    try:
        made = anonymised(value, KNOWN)
    except NotRecordableError:
        return  # it says so rather than leave something
    left = " ".join(recorder._texts(made, KNOWN)).lower()
    for text in recorder._texts(value, KNOWN):
        for word in recorder._WORD.findall(text):
            assert len(word) < recorder.LONG or word.lower() not in left or word in recorder._OWN_WORDS


@given(st.dictionaries(st.sampled_from(["a", "name", "mid"]), texts.filter(lambda one: "://" not in one)))
def test_texts_keep_their_length_in_bytes(value: dict[str, str]) -> None:
    assert shape(anonymised(value, KNOWN)) == shape(value)


def test_the_same_stays_the_same_and_times_keep_their_order() -> None:
    made = anonymised(
        {
            "sender": {"id": "1026000000000001"},
            "about": "1026000000000001",
            "other": "1026000000000002",
            "timestamp": 1_760_000_001_500,
            "time": 1_760_000_001,
            "type": "image",
            "is_echo": True,
            "count": 3,
            "text": "Hi Ana 💙, ruf mich an: +49 170 1234567\n",
            "link": "https://lookaside.fbsbx.com/ig/?asset_id=1&signature=abc",
        },
        KNOWN,
    )
    assert made["sender"]["id"] == made["about"] != made["other"]
    assert made["about"].isdigit()
    assert len(made["about"]) == 16
    assert made["timestamp"] - made["time"] * 1000 == 500
    assert (made["type"], made["is_echo"], made["count"]) == ("image", True, 3)
    assert made["text"][2] == " "
    assert made["text"].endswith("\n")
    assert "💙" not in made["text"]
    assert made["link"].startswith("https://media.example/")
    assert "fbsbx" not in made["link"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_fixture_is_read_as_the_original_was(ig: Addon, path: Path) -> None:
    golden = json.loads(path.read_text())
    adapter = ig.channel.InstagramAdapter()
    recorded = 0
    for payload in golden["payloads"]:
        for entry in payload["entry"]:
            for container in ("messaging", "standby", "changes"):
                for event in entry.get(container, ()):
                    body = world.envelope(event, container=container).body
                    row = InboundEvent(channel="instagram", kind="message", body=body)
                    fixture = record(row, adapter)
                    envelope = Envelope(1, "", "", fixture["kind"], json.dumps(fixture["body"]).encode())
                    assert [type(one).__name__ for one in adapter.parse(envelope)] == fixture["becomes"]
                    if text := event.get("message", {}).get("text"):
                        assert text not in recorder.written(fixture)
                    recorded += 1
    assert recorded or path.stem.startswith("test")


def test_an_event_the_adapter_stumbles_over_becomes_one_it_stumbles_over() -> None:
    adapter = ToyAdapter()
    row = InboundEvent(channel="email", kind="message", body=b'{"kind": "message", "text": "Ana Quintero"}')
    fixture = record(row, adapter)
    assert fixture["becomes"] == ["raises KeyError"]
    assert fixture["body"]["kind"] == "message"
    assert "Quintero" not in recorder.written(fixture)


def test_what_was_recorded_is_read_in_a_test_in_one_line(tmp_path: Path) -> None:
    told = {
        "kind": "message",
        "from": "Ana Quintero",
        "mid": "mid.1234567",
        "text": "Hi",
        "at": 1_790_000_000,
    }
    at = datetime.fromtimestamp(1_790_000_030, UTC)
    row = InboundEvent(channel="email", kind="message", body=json.dumps(told).encode(), occurred_at=at)
    path = tmp_path / "message.json"
    path.write_text(recorder.written(record(row, ToyAdapter())))
    (change,) = recorded(path).read(ToyAdapter())
    assert isinstance(change, MessageReceived)
    assert len(change.text) == 2
    found = recorded(path).envelope.occurred_at
    assert found == datetime(2025, 1, 1, 0, 0, 30, tzinfo=UTC), "as long after the first time as it was"
    assert [one.envelope for one in all_recorded(tmp_path)] == [recorded(path).envelope]

    path.write_text(path.read_text().replace('"MessageReceived"', '"MessageEchoed"'))
    with pytest.raises(AssertionError, match="read as MessageEchoed, now as MessageReceived"):
        recorded(path).read(ToyAdapter())


def test_an_event_somebody_stumbled_over_may_become_anything_but_an_error(tmp_path: Path) -> None:
    row = InboundEvent(channel="email", kind="message", body=b'{"kind": "message", "text": "Ana Quintero"}')
    path = tmp_path / "stumbled.json"
    path.write_text(recorder.written(record(row, ToyAdapter())))
    with pytest.raises(KeyError):
        recorded(path).read(ToyAdapter())
    mended = ToyAdapter()
    mended.parse = lambda _envelope: [Ignored("nobody sent it")]  # type: ignore[method-assign]
    assert recorded(path).read(mended) == [Ignored("nobody sent it")]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"channel": "email", "kind": "message", "body": {}}'])
def test_a_file_that_is_no_fixture_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match="nothing that `lobby record` printed"):
        recorded(tmp_path / "other.json")
    with pytest.raises(ValueError, match="no fixture"):
        all_recorded(tmp_path / "nowhere")


def test_what_cannot_be_recorded_says_why() -> None:
    row = InboundEvent(channel="email", kind="message", body=b"not json")
    for body, adapter in ((b"{}", None), (b"not json", ToyAdapter()), (None, ToyAdapter())):
        row.body = body
        with pytest.raises(NotRecordableError):
            record(row, adapter)


def test_the_vocabulary_is_what_the_code_of_the_addon_says() -> None:
    words = vocabulary(ToyAdapter)
    assert {"message", "unsend"} <= words
    assert "Ana Q." not in words
