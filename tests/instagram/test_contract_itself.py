"""The contract suite goes red for adapters that break it, each rule for its own fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from host.core.backports.values import replace
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    Found,
    InboundMedia,
    MediaLimits,
    NoProfile,
    QuickReplyLimits,
    ReplyContext,
    ReplyPhase,
    ReplyPolicy,
    ReplyState,
    SendLimit,
    SendRequest,
    SendResult,
    Sent,
)
from host.sdk.history import HistoryRules, ThreadPage
from host.sdk.messages import (
    CustomKind,
    InboundAttachment,
    InboundChange,
    MessageKind,
    MessageReceived,
    MessagesRead,
)
from host.sdk.testing import AdapterContract, check_changes, junk_bodies
from host.sdk.webhooks import Envelope
from tests.inbox.custom import POLL, Poll

AT = datetime.fromisoformat("2026-11-01T12:00:00+00:00")
WROTE = MessageReceived("1", "m", AT, text="a")
ENVELOPE = Envelope(1, "1", "k", "message", b'{"text":"a"}')


class Good(ChannelAdapter):
    key = "good"
    label = "Good"
    mark = ChannelMark(text="GD")
    capabilities = Capabilities(text_limit_bytes=100)

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return [WROTE]

    def send(self, request: SendRequest) -> SendResult:
        return Sent("1")


class Contract(AdapterContract):
    samples = (ENVELOPE,)


def run(adapter: ChannelAdapter, rule: str) -> None:
    """Run one rule of the suite over *adapter*, as pytest would."""
    suite = Contract()
    account = AccountRef(1, "u", 1, adapter.key, "x", "X", "@x")
    text = SendRequest(account, "1", Contract.text.__wrapped__(suite, account).part, "f" * 32)  # type: ignore[attr-defined]
    given: dict[str, Any] = {"adapter": adapter, "account": account, "text": text}
    method: Callable[..., None] = getattr(suite, f"test_{rule}")
    names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    method(**{name: given[name] for name in names})


RULES = [name.removeprefix("test_") for name in dir(AdapterContract) if name.startswith("test_")]


@pytest.mark.parametrize("rule", RULES)
def test_a_good_adapter_passes(rule: str) -> None:
    run(Good(), rule)


@pytest.mark.parametrize("rule", ["its_capabilities_make_sense", "it_reads_every_sample"])
def test_an_adapter_with_a_kind_of_its_own_passes(rule: str) -> None:
    run(broken(parse=lambda *_: [POLLED], capabilities=customs(POLL)), rule)


def broken(**parts: Any) -> ChannelAdapter:
    adapter: ChannelAdapter = type("Broken", (Good,), parts)()
    return adapter


def raising(*_: Any) -> Any:
    raise KeyError("x")


def opens_again(_: Any, context: ReplyContext) -> ReplyPolicy:
    day = (context.now - AT).days
    return ReplyPolicy(ReplyState.CLOSED if day == 2 else ReplyState.OPEN, sentence="no")


def more_for_machines(_: Any, context: ReplyContext) -> ReplyPolicy:
    return ReplyPolicy(ReplyState.CLOSED if context.by_person else ReplyState.OPEN, sentence="no")


def gap(_: Any, context: ReplyContext) -> ReplyPolicy:
    hour = timedelta(hours=1)
    phases = (
        ReplyPhase(ReplyState.OPEN, AT, AT + hour),
        ReplyPhase(ReplyState.CLOSED, AT + 2 * hour, AT + 3 * hour),
    )
    return ReplyPolicy(ReplyState.OPEN, phases=phases)


def tagged(_: Any, context: ReplyContext) -> ReplyPolicy:
    return ReplyPolicy(ReplyState.PEOPLE_ONLY, tag="T")


def counting() -> Callable[..., list[InboundChange]]:
    seen: list[int] = []

    def parse(_: Any, __: Envelope) -> list[InboundChange]:
        seen.append(1)
        return [replace(WROTE, text=str(len(seen)))]

    return parse


JPEG = MediaLimits(frozenset({"image/jpeg"}), 1_000)


def pictures(limits: MediaLimits) -> Capabilities:
    return Capabilities(
        sends=frozenset({MessageKind.TEXT, MessageKind.IMAGE}), media={MessageKind.IMAGE: limits}
    )


POLLED = replace(
    WROTE, kind=MessageKind.CUSTOM, text="Which glaze?", content=POLL.content(Poll("Which glaze?", ()))
)


def customs(*kinds: CustomKind) -> Capabilities:
    return Capabilities(receives=frozenset({MessageKind.CUSTOM}), custom_kinds=kinds)


IMAGES = frozenset({MessageKind.IMAGE})


def linked(media: InboundMedia) -> Callable[[Any], InboundMedia]:
    return lambda _: media


PAST = Capabilities(history=HistoryRules(details=20, limits=("It forgets.",)))

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("it_names_itself", {"key": "Not A Key"}),
    ("it_says_where_received_files_are", {"inbound_media": linked(InboundMedia(stored=IMAGES))}),
    ("it_says_where_received_files_are", {"inbound_media": linked(InboundMedia(frozenset({"*"}), IMAGES))}),
    ("it_says_where_received_files_are", {"inbound_media": linked(InboundMedia(frozenset({"a.B"})))}),
    ("it_says_where_received_files_are", {"inbound_media": linked(InboundMedia(frozenset({"https://a.b"})))}),
    ("it_names_itself", {"key": "x" * 33}),
    ("it_names_itself", {"label": " "}),
    ("it_names_itself", {"mark": ChannelMark(text="GD", icon="mail")}),
    ("it_names_itself", {"mark": ChannelMark(text="GD", tone=9)}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(text_limit_bytes=2)}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(sends=frozenset(), can_start=True)}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(sends=frozenset({MessageKind.IMAGE}))}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(media={MessageKind.IMAGE: JPEG})}),
    ("its_capabilities_make_sense", {"capabilities": pictures(MediaLimits(frozenset({"image"}), 1))}),
    ("its_capabilities_make_sense", {"capabilities": pictures(MediaLimits(frozenset({"JPEG"}), 1))}),
    ("its_capabilities_make_sense", {"capabilities": pictures(MediaLimits(JPEG.content_types, 0))}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(images_per_message=10)}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(quick_replies=QuickReplyLimits(0, 1, 1))}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(heart=True)}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(product_template=10)}),
    ("its_capabilities_make_sense", {"capabilities": Capabilities(custom_kinds=(POLL,))}),
    ("its_capabilities_make_sense", {"capabilities": customs(POLL, POLL)}),
    ("its_capabilities_make_sense", {"capabilities": customs(replace(POLL, name="A poll"))}),
    ("its_capabilities_make_sense", {"capabilities": customs(replace(POLL, label=" "))}),
    ("its_capabilities_make_sense", {"capabilities": customs(replace(POLL, icon="poll"))}),
    ("it_reads_every_sample", {"parse": lambda *_: [POLLED]}),
    (
        "it_reads_every_sample",
        {"parse": lambda *_: [replace(POLLED, text="")], "capabilities": customs(POLL)},
    ),
    (
        "it_reads_every_sample",
        {
            "parse": lambda *_: [replace(POLLED, content={"custom": {"kind": "poll", "data": 7}})],
            "capabilities": customs(POLL),
        },
    ),
    ("it_reads_every_sample", {"parse": lambda *_: []}),
    ("it_reads_every_sample", {"parse": raising}),
    ("reading_is_pure", {"parse": counting()}),
    ("reading_never_raises", {"parse": lambda _, e: [WROTE] if e.body == ENVELOPE.body else raising()}),
    ("the_reply_window_only_closes", {"reply_policy": opens_again}),
    ("the_reply_window_only_closes", {"reply_policy": more_for_machines}),
    ("the_reply_window_only_closes", {"reply_policy": tagged}),
    ("the_reply_window_only_closes", {"reply_policy": lambda *_: ReplyPolicy(ReplyState.OPEN, until=AT)}),
    ("phases_follow_each_other", {"reply_policy": gap}),
    ("a_closed_window_says_why", {"reply_policy": lambda *_: ReplyPolicy(ReplyState.CLOSED)}),
    (
        "a_customer_without_a_message_can_only_be_written_to_if_we_can_start",
        {
            "reply_policy": lambda *_: ReplyPolicy(ReplyState.CLOSED, sentence="no"),
            "capabilities": Capabilities(can_start=True),
        },
    ),
    (
        "a_customer_without_a_message_can_only_be_written_to_if_we_can_start",
        {
            "reply_policy": lambda *_: ReplyPolicy(ReplyState.CLOSED, sentence="no"),
            "approved_policy": lambda *_: ReplyPolicy(ReplyState.CLOSED, sentence="no"),
            "capabilities": Capabilities(can_start=True, approved_templates=True),
        },
    ),
    ("who_can_start_says_whom_an_address_is", {"id_for_address": lambda *_: "1"}),
    ("who_can_start_says_whom_an_address_is", {"capabilities": Capabilities(can_start=True)}),
    ("sending_without_credentials_is_an_outcome", {"send": raising}),
    ("sending_without_credentials_is_an_outcome", {"send": lambda *_: Found("1")}),
    ("sending_what_it_cannot_is_an_outcome", {"send": lambda _, r: Sent("1") if r.part.text else None}),
    ("sending_what_it_declares_is_an_outcome", {"send": lambda *_: None}),
    (
        "sending_what_it_declares_is_an_outcome",
        {"capabilities": pictures(JPEG), "send": lambda _, r: None if r.part.files else Sent("1")},
    ),
    ("its_limits_can_be_counted", {"limits": lambda *_: [SendLimit("", 1, 1, "Slowly.")]}),
    ("its_limits_can_be_counted", {"limits": lambda *_: [SendLimit("a", 0, 1, "Slowly.")]}),
    ("its_limits_can_be_counted", {"limits": lambda *_: [SendLimit("a", 1, 1, "")]}),
    (
        "its_limits_can_be_counted",
        {"limits": lambda *_: [SendLimit("a", one, 1, "Slowly.") for one in (1, 2)]},
    ),
    ("reacting_without_credentials_is_an_outcome", {"react": lambda *_: None}),
    ("the_profile_at_the_provider_without_credentials_is_an_answer", {"menu": lambda *_: None}),
    ("the_profile_at_the_provider_without_credentials_is_an_answer", {"set_ice_breakers": lambda *_: None}),
    ("searching_without_credentials_is_an_answer", {"search": lambda *_: None}),
    ("history_without_credentials_is_an_answer", {"threads": lambda *_: ThreadPage()}),
    ("history_without_credentials_is_an_answer", {"capabilities": PAST}),
    ("history_without_credentials_is_an_answer", {"capabilities": PAST, "threads": lambda *_: None}),
    (
        "history_without_credentials_is_an_answer",
        {"capabilities": PAST, "threads": lambda *_: ThreadPage(), "history": raising},
    ),
    ("a_profile_without_credentials_is_an_answer", {"fetch_profile": lambda *_: None}),
    ("a_profile_without_credentials_is_an_answer", {"fetch_profiles": lambda *_: {"1": None}}),
    ("a_profile_without_credentials_is_an_answer", {"fetch_profiles": lambda *_: {"9": None}}),
    ("locating_a_file_without_credentials_is_an_address_or_a_fetch_error", {"locate": raising}),
    ("locating_a_file_without_credentials_is_an_address_or_a_fetch_error", {"locate": lambda *_: None}),
    (
        "locating_a_picture_without_credentials_is_an_address_or_a_fetch_error",
        {"locate_picture": lambda *_: None},
    ),
    ("approved_templates_without_credentials_are_an_answer", {"find_approved_template": lambda *_: None}),
    ("every_contact_has_a_label", {"contact_label": lambda *_: ""}),
    ("every_contact_has_a_label", {"profile_url": lambda *_: "javascript:alert(1)"}),
]


@pytest.mark.parametrize(("rule", "parts"), FAULTS)
def test_a_fault_is_found_by_its_rule(rule: str, parts: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        run(broken(**parts), rule)


def test_every_rule_has_been_seen_red() -> None:
    assert set(RULES) == {rule for rule, _ in FAULTS}


@pytest.mark.parametrize(
    "change",
    [
        "text",
        replace(WROTE, contact=""),
        replace(WROTE, contact=7),  # type: ignore[arg-type]
        replace(WROTE, sent_at=AT.replace(tzinfo=None)),
        replace(WROTE, external_id=""),
        replace(WROTE, content={"a": float("nan")}),
        replace(WROTE, attachments=(InboundAttachment(MessageKind.IMAGE),)),
        MessagesRead("1", "m", AT.replace(tzinfo=None)),
    ],
)
def test_a_change_that_could_not_be_stored_is_found(change: Any) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_changes([change])


def test_junk_is_the_same_each_time_and_not_only_noise() -> None:
    sample = b'{"a":{"b":[1,"x"]}}'
    assert junk_bodies([sample]) == junk_bodies([sample])
    assert sum(body.startswith(b'{"a"') for body in junk_bodies([sample])) > 20


def test_no_profile_is_an_answer() -> None:
    assert isinstance(Good().fetch_profile(AccountRef(1, "u", 1, "good", "x", "X", "@x"), "1"), NoProfile)
