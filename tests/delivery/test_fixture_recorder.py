"""A real delivery becomes a fixture that reads the same and says nothing about anybody."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from host.delivery import fixture_recorder
from host.delivery.fixture_recorder import NotRecordableError, anonymised, record, vocabulary
from host.models.queue import InboundEvent
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
FIELD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
fields = st.recursive(
    st.none() | st.booleans() | st.integers() | texts.filter(lambda one: "://" not in one),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "name", "mid"]), inner),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return (
        (type(value).__name__, len(value.encode("utf-8", "surrogatepass")))
        if isinstance(value, str)
        else type(value).__name__
    )


def anonymous(value: Any) -> Any:
    try:
        return anonymised(value, KNOWN)
    except NotRecordableError:
        reject()  # it says so rather than leave something; where it often does, the test fails


def said(value: Any) -> list[str]:
    """Return every text and large number in *value*, and the keys that are no names of fields."""
    if isinstance(value, dict):
        odd = [key for key in value if key.strip(FIELD) or not key or key[0] == "-"]
        return [*odd, *(text for one in value.values() for text in said(one))]
    if isinstance(value, list):
        return [text for one in value for text in said(one)]
    large = isinstance(value, int | float) and abs(value) >= 10_000
    return [str(value)] if large or (isinstance(value, str) and value not in KNOWN) else []


def words(value: Any) -> set[str]:
    """Return the runs of at least four letters and digits of what is said in *value*."""
    spaced = ("".join(one if one.isalnum() else " " for one in text) for text in said(value))
    return {word.lower() for text in spaced for word in text.split() if len(word) >= 4}


@given(json_values)
@example({"Ana Quintero": [{"text": "Ruf an: 0170 1234567", "id": 1026000000000001, "of": -98765.25}]})
@example(["https://desk.example/ana.quintero?token=s3cr3t", "ana.quintero", "ΑΝΑΣΤΑΣΙΑ", "漢字漢字漢字"])
def test_no_word_survives(value: Any) -> None:
    left = " ".join(said(anonymous(value))).lower()
    of_the_address_made_up = {"http", "https", "media", "example"}
    assert {word for word in words(value) - of_the_address_made_up if word in left} == set()


@given(fields)
@example({"name": "Ana Quintero 💙", "mid": [{"a": "漢字漢字", "name": 1026000000000001}, None, True, 2.5]})
def test_the_shape_survives_and_texts_keep_their_length_in_bytes(value: Any) -> None:
    assert shape(anonymous(value)) == shape(value)


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
                        assert text not in fixture_recorder.written(fixture)
                    recorded += 1
    assert recorded or path.stem.startswith("test")


def test_an_event_the_adapter_stumbles_over_becomes_one_it_stumbles_over() -> None:
    adapter = ToyAdapter()
    row = InboundEvent(channel="email", kind="message", body=b'{"kind": "message", "text": "Ana Quintero"}')
    fixture = record(row, adapter)
    assert fixture["becomes"] == ["raises KeyError"]
    assert fixture["body"]["kind"] == "message"
    assert "Quintero" not in fixture_recorder.written(fixture)


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
    path.write_text(fixture_recorder.written(record(row, ToyAdapter())))
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
    path.write_text(fixture_recorder.written(record(row, ToyAdapter())))
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
