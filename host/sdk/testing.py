"""The contract of channel adapters, as tests for addon authors to inherit.

    class TestMyAdapter(AdapterContract):
        samples = [Envelope(...), ...]      # one of each kind the provider sends

        @pytest.fixture
        def adapter(self):
            return MyAdapter()

pytest then checks that adapter against all rules below. Errors of the provider (timeouts, error codes) belong
in your own tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Any, ClassVar

import msgspec
import pytest

from host.sdk import strictjson
from host.sdk._forms import values as _form_values
from host.sdk.approved import ApprovalState, placeholders
from host.sdk.capabilities import MEDIA_KINDS, Capabilities, InboundMedia, MediaLimits
from host.sdk.channel import (
    AccountRef,
    ApprovedPage,
    ApprovedTemplate,
    ChannelAdapter,
    ChannelMark,
    Located,
    NoProfile,
    Profile,
    ProviderProblem,
    ReactRequest,
    ReplyContext,
    ReplyPolicy,
    ReplyState,
    SearchRequest,
    SearchResult,
    SendLimit,
    SendRequest,
    SendResult,
)
from host.sdk.errors import FetchError
from host.sdk.fixtures import Recorded, all_recorded, recorded
from host.sdk.history import HistoryPage, HistoryThread, HistoryTrouble, NewestPage, TellsHistory, ThreadPage
from host.sdk.junk import junk_bodies
from host.sdk.messages import (
    AccountNoticed,
    ContactIdentified,
    ConversationHandedOver,
    CustomKind,
    Handover,
    Ignored,
    InboundChange,
    MessageAccepted,
    MessageBounced,
    MessageCard,
    MessageDelivered,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    MessageUnsent,
    OutgoingFile,
    OutgoingPart,
    ToLookUp,
)
from host.sdk.panels import Icon
from host.sdk.secrets import Secret
from host.sdk.webhooks import Envelope

__all__ = [
    "AdapterContract",
    "Recorded",
    "all_recorded",
    "check_approved_template",
    "check_changes",
    "declared_parts",
    "junk_bodies",
    "provided_settings",
    "recorded",
]

_ORDER = {ReplyState.OPEN: 0, ReplyState.PEOPLE_ONLY: 1, ReplyState.CLOSED: 2}
_NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
_ADDRESSES = (
    "Somebody@Example.org",
    "somebody@example.com",
    "+4915112345678",
    "",
    " ",
    "no address",
    "a@b@c",
    "\x00\r\n",
    "@" * 3000,
    "1" * 3000,
)
"""Addresses a contact may have, and invalid values."""


@contextmanager
def provided_settings(
    slug: str,
    *,
    workspace: Mapping[str, str | int | float | bool | Secret] | None = None,
    desk: Mapping[str, str | int | float | bool | Secret] | None = None,
) -> Iterator[None]:
    """Have :mod:`host.sdk.settings` return these values inside ``with``, without a desk.

    They are not compared with a manifest; :meth:`host.authoring.desk.TrialDesk.fill_in` does that.

    :param workspace: returned for every workspace.
    """
    with _form_values.provided(slug, workspace, desk):
        yield


def check_changes(changes: Sequence[InboundChange], custom_kinds: Sequence[CustomKind] = ()) -> None:
    """Check that *changes* can be applied and stored: types, aware times, ids, JSON.

    :param custom_kinds: the channel's, which messages of the kind ``CUSTOM`` have to be.
    :raises AssertionError: with the reason.
    """
    for change in changes:
        assert isinstance(change, InboundChange), f"{type(change).__name__} is no inbound change"
        if isinstance(change, Ignored):
            assert change.reason, "an ignored event says why"
            continue
        if isinstance(change, AccountNoticed):
            assert change.at.tzinfo is not None, "times are aware"
            assert change.kind, "a notice says what it is about"
            assert change.over or change.sentence % change.details, "a notice says what there is to know"
            continue
        if isinstance(change, ToLookUp):
            assert change.what, "what is to be looked up is named"
            assert all(isinstance(one, str) for pair in change.what.items() for one in pair), (
                "ids are strings"
            )
            continue
        assert isinstance(change.contact, str), "a contact's id is a string"
        by_reply = isinstance(change, MessageEchoed) and change.reply_to
        assert change.contact or by_reply, "every change names a contact, or the message it answers"
        if isinstance(change, MessageReceived | MessageEchoed):
            _check_message(change)
            if change.kind is MessageKind.CUSTOM:
                _check_custom(change, custom_kinds)
        elif isinstance(change, MessageBounced):
            assert change.at.tzinfo is not None, "times are aware"
            assert isinstance(change.external_id, str), "a message's id is a string"
            assert change.report or change.external_id, "a report that names no message has a text"
            if change.report is not None:
                _check_message(change.report)
        elif isinstance(change, ConversationHandedOver):
            assert change.at.tzinfo is not None, "times are aware"
            assert isinstance(change.how, Handover)
            assert isinstance(change.note, str)
            assert isinstance(change.summary, str)
        elif isinstance(change, ContactIdentified):
            assert change.at.tzinfo is not None, "times are aware"
            assert change.contact in {one.external_id for one in change.ids}, "the contact has that id"
            assert all(one.external_id for one in change.ids), "an id is not empty"
        else:
            _check_about(change)


def _check_message(change: MessageReceived | MessageEchoed) -> None:
    assert change.sent_at.tzinfo is not None, "times are aware"
    assert isinstance(change.kind, MessageKind)
    assert isinstance(change.text, str)
    assert change.external_id is None or change.external_id, "an id is None or not empty"
    assert change.reply_to is None or change.reply_to, "a quoted message has an id"
    json.dumps(dict(change.content), allow_nan=False)
    for attachment in change.attachments:
        assert attachment.url is not None or attachment.content is not None, "an empty attachment"


def _check_custom(change: MessageReceived | MessageEchoed, kinds: Sequence[CustomKind]) -> None:
    given = change.content["custom"]
    kind = next((one for one in kinds if one.name == given["kind"]), None)
    assert kind is not None, f"the custom kind {given['kind']!r} is not declared"
    assert change.text.strip(), "a custom kind says the same in words"
    try:
        data = strictjson.convert(json.loads(json.dumps(given["data"])), kind.data)
    except msgspec.ValidationError as error:
        raise AssertionError(f"the data of {kind.name!r} is not of its type: {error}") from error
    cards = kind.cards(data)
    assert cards, "a custom kind is shown as cards"
    assert all(isinstance(card, MessageCard) for card in cards)


def _check_about(
    change: MessageReacted
    | MessageEdited
    | MessageUnsent
    | MessagesRead
    | MessageDelivered
    | MessageAccepted,
) -> None:
    at = change.read_at if isinstance(change, MessagesRead) else change.at
    assert at.tzinfo is not None, "times are aware"
    assert isinstance(change.external_id, str), "an id is a string"
    assert change.external_id, "what is about a message names it"
    if isinstance(change, MessageReacted):
        assert change.removed or change.emoji, "a reaction can be seen"
    if isinstance(change, MessageEdited):
        assert isinstance(change.text, str)
        assert change.number is None or change.number >= 1, "edits are counted from 1"
    if isinstance(change, MessageAccepted):
        assert change.message_key, "an accepted message is named by our key"
    if isinstance(change, MessageUnsent):
        assert all(isinstance(key, str) and key for key in change.carried_by), "a key is not empty"


def check_approved_template(template: ApprovedTemplate, capabilities: Capabilities) -> None:
    """Check that *template* can be shown, filled in and sent.

    :raises AssertionError: with the reason.
    """
    assert template.external_id, "a template has an id"
    assert template.name, "a template has a name"
    assert template.body, "a template has a text"
    assert isinstance(template.state, ApprovalState)
    keys = [one.key for one in template.parameters]
    assert len(set(keys)) == len(keys), "a key is unique in its template"
    used = {key for text in template.texts for key in placeholders(text)}
    assert set(keys) == used, "parameters are those of its texts"
    assert all(one.max_length > 0 for one in template.parameters)
    kind = MessageKind.TEXT if template.header is None else template.header.kind
    assert kind is MessageKind.TEXT or kind in capabilities.media, f"{kind} cannot be sent on the channel"
    assert all(button.title for button in template.buttons), "a button has a title"
    assert all(not (button.url and button.phone) for button in template.buttons), "a button does one thing"


def declared_parts(capabilities: Capabilities) -> list[OutgoingPart]:
    """Return one part of each kind that *capabilities* allow, with at most one small file."""
    parts = [OutgoingPart(kind, files=(_file(kind, limits),)) for kind, limits in capabilities.media.items()]
    if captions := capabilities.captions:
        captioned = [one for one in parts if one.kind in captions.kinds]
        parts += [OutgoingPart(one.kind, "This one 👋", files=one.files) for one in captioned]
    if MessageKind.TEXT in capabilities.sends:
        parts.append(OutgoingPart(MessageKind.TEXT, "Hello 👋"))
        if capabilities.quick_replies:
            offered = {"quick_replies": [{"title": "Red", "payload": "RED"}]}
            parts.append(OutgoingPart(MessageKind.TEXT, "Which?", offered))
            asked = {"quick_replies": [{"ask": ask.value} for ask in sorted(capabilities.quick_replies.asks)]}
            if capabilities.quick_replies.asks:
                parts.append(OutgoingPart(MessageKind.TEXT, "How can we reach you?", asked))
        if capabilities.reply_quote:
            parts.append(OutgoingPart(MessageKind.TEXT, "This one", reply_to="m"))
    if capabilities.template:
        buttons = [{"title": "Open", "url": "https://example.com/"}, {"title": "Ask", "payload": "ASK"}]
        card = {"title": "A lamp", "subtitle": "Brass", "buttons": buttons[: capabilities.template.buttons]}
        parts.append(OutgoingPart(MessageKind.TEMPLATE, content={"template": {"elements": [card]}}))
    if capabilities.buttons:
        below = {"text": "Which one?", "buttons": [{"title": "Ask", "payload": "ASK"}]}
        parts.append(OutgoingPart(MessageKind.TEMPLATE, content={"template": below}))
    place = {"location": {"latitude": 52.5163, "longitude": 13.3777, "name": "Gate"}}
    cards = {"contacts": [{"name": "Zoe", "phones": ["+49 30 1234"], "emails": []}]}
    told = (
        OutgoingPart(MessageKind.LOCATION, "Gate", place),
        OutgoingPart(MessageKind.CONTACTS, "Zoe, +49 30 1234", cards),
    )
    parts += [one for one in told if one.kind in capabilities.sends]
    if capabilities.approved_templates:
        filled = {"id": "1", "name": "order", "language": "en", "parameters": {"1": "Zoe"}}
        parts.append(
            OutgoingPart(MessageKind.APPROVED_TEMPLATE, "Hello Zoe", content={"approved_template": filled})
        )
    if capabilities.provider_files:
        parts += [OutgoingPart(kind, content={"provider_files": [kind.value]}) for kind in capabilities.media]
    if capabilities.product_template:
        parts.append(OutgoingPart(MessageKind.TEMPLATE, content={"products": ["1"]}))
    if capabilities.own_post:
        parts.append(OutgoingPart(MessageKind.SHARE, content={"own_post": "1"}))
    if capabilities.heart:
        parts.append(OutgoingPart(MessageKind.STICKER, content={"sticker": "heart"}))
    return parts


def _file(kind: MessageKind, limits: MediaLimits) -> OutgoingFile:
    return OutgoingFile(
        kind,
        "sample",
        min(limits.content_types, default="application/pdf"),
        4,
        "https://example.com/sample",
        lambda: BytesIO(b"file"),
    )


class AdapterContract:
    """Rules for a channel adapter. Subclass it as ``Test...`` and provide the fixture ``adapter``."""

    samples: ClassVar[Sequence[Envelope]] = ()
    """Envelopes from the addon's webhook or receiver, one of each kind the provider sends."""
    account_settings: ClassVar[Mapping[str, Any]] = {}
    """Account settings to test the reply policy with; the contract adds none."""

    @pytest.fixture
    def adapter(self) -> ChannelAdapter:
        """Return the adapter under test."""
        raise NotImplementedError("give the fixture `adapter` in your subclass")

    @pytest.fixture
    def account(self, adapter: ChannelAdapter) -> AccountRef:
        """Return an account that is not stored: the adapter must work without credentials for it."""
        return AccountRef(
            id=2**40,
            uuid="0" * 32,
            workspace_id=1,
            channel=adapter.key,
            external_id="unknown",
            name="Sample",
            handle="@sample",
            settings=self.account_settings,
        )

    @pytest.fixture
    def text(self, account: AccountRef) -> SendRequest:
        """Return a request to send a short text."""
        part = OutgoingPart(MessageKind.TEXT, text="Hello 👋")
        return SendRequest(account=account, recipient="1", part=part, message_key="f" * 32)

    def test_it_names_itself(self, adapter: ChannelAdapter) -> None:
        assert 0 < len(adapter.key) <= 32
        assert adapter.key.isascii()
        assert adapter.key.replace("-", "a").isalnum()
        assert adapter.key == adapter.key.lower()
        assert adapter.label.strip()
        assert isinstance(adapter.mark, ChannelMark)
        assert 1 <= adapter.mark.tone <= 6
        assert bool(adapter.mark.text) != bool(adapter.mark.icon), "a mark has letters or an icon"
        assert len(adapter.mark.text) <= 3

    def test_its_capabilities_make_sense(self, adapter: ChannelAdapter) -> None:
        found = adapter.capabilities
        assert isinstance(found, Capabilities)
        assert all(isinstance(kind, MessageKind) for kind in found.sends)
        assert found.text_limit_bytes is None or found.text_limit_bytes >= 4, "one code point must fit"
        if found.can_start or found.has_subject:
            assert found.sends, "who can start a conversation can send something"
        assert set(found.media) == found.sends & MEDIA_KINDS, "each kind of file it sends has its limits"
        for limits in found.media.values():
            assert limits.max_bytes > 0
            for name in limits.content_types:
                assert name == name.lower()
                assert name.count("/") == 1, f"{name} is no MIME type"
        assert found.images_per_message >= 1
        assert found.images_per_message == 1 or MessageKind.IMAGE in found.media
        for declared, kind in (
            (found.quick_replies, MessageKind.TEXT),
            (found.template, MessageKind.TEMPLATE),
            (found.buttons, MessageKind.TEMPLATE),
            (found.product_template, MessageKind.TEMPLATE),
            (found.approved_templates, MessageKind.APPROVED_TEMPLATE),
            (found.own_post, MessageKind.SHARE),
            (found.heart, MessageKind.STICKER),
        ):
            assert not declared or kind in found.sends, f"{kind} is not among what it sends"
        for group in (found.quick_replies, found.template, found.buttons, found.ice_breakers, found.menu):
            for field in () if group is None else fields(group):
                allowed = getattr(group, field.name)
                is_limit = allowed is not None and field.name not in {"asks", "ask_alone", "unique"}
                assert not is_limit or allowed > 0, f"{field.name} allows nothing"
        assert found.product_template is None or found.product_template > 0
        names = [one.name for one in found.custom_kinds]
        assert len(set(names)) == len(names), "each custom kind has a name of its own"
        for custom in found.custom_kinds:
            assert re.fullmatch("[a-z][a-z0-9_]{0,31}", custom.name), f"{custom.name!r} is no name of a kind"
            assert custom.label.strip(), "a custom kind has a name for people"
            assert custom.icon in set(Icon), f"{custom.icon} is none of the icons"
            assert msgspec.json.schema(custom.data), "its data has a shape"
        assert not names or MessageKind.CUSTOM in (found.receives or ()), "customers can send custom kinds"

    def test_it_says_where_received_files_are(self, adapter: ChannelAdapter) -> None:
        found = adapter.inbound_media()
        assert isinstance(found, InboundMedia)
        assert all(isinstance(kind, MessageKind) for kind in found.stored)
        assert found.hosts or not found.stored, "what may be kept has to be fetched from somewhere"
        for host in found.hosts:
            name = host.removeprefix("*.")
            assert name == name.lower(), "names of hosts are in lower case"
            assert "." in name, f"{host} is every host of a kind"
            assert not set(name) & set("*/:"), f"{host} is a name, without scheme, port or path"

    def test_it_reads_every_sample(self, adapter: ChannelAdapter) -> None:
        for sample in self.samples:
            changes = adapter.parse(sample)
            assert changes, f"nothing came of the sample {sample.kind!r}; say Ignored and why"
            check_changes(changes, adapter.capabilities.custom_kinds)

    def test_reading_is_pure(self, adapter: ChannelAdapter) -> None:
        first = [list(adapter.parse(sample)) for sample in self.samples]
        again = [list(adapter.parse(sample)) for sample in reversed(self.samples)]
        assert first == list(reversed(again))

    def test_reading_never_raises(self, adapter: ChannelAdapter) -> None:
        envelope = self.samples[0] if self.samples else Envelope(1, "1", "key", "message", b"")
        for body in junk_bodies([sample.body for sample in self.samples]):
            check_changes(
                adapter.parse(replace(envelope, body=body, occurred_at=None)),
                adapter.capabilities.custom_kinds,
            )

    def test_the_reply_window_only_closes(self, adapter: ChannelAdapter, account: AccountRef) -> None:
        for settings in (self.account_settings, {}):
            at = replace(account, settings=settings)
            order = 0
            for minutes in range(0, 9 * 24 * 60, 30):
                now = _NOW + timedelta(minutes=minutes)
                found = self._policy(adapter, ReplyContext(at, now, _NOW))
                assert _ORDER[found.state] >= order, f"the window opens again after {minutes} minutes"
                order = _ORDER[found.state]
                assert found.until is None or found.until > now, "a state that has ended already"

    def test_phases_follow_each_other(self, adapter: ChannelAdapter, account: AccountRef) -> None:
        phases = self._policy(adapter, ReplyContext(account, _NOW, _NOW)).phases
        for one, following in pairwise(phases):
            assert one.until == following.since, "a gap between phases"
        for phase in phases:
            assert phase.since < phase.until

    def test_a_closed_window_says_why(self, adapter: ChannelAdapter, account: AccountRef) -> None:
        for last in (None, _NOW - timedelta(days=400)):
            found = self._policy(adapter, ReplyContext(account, _NOW, last))
            assert found.state is ReplyState.OPEN or found.sentence

    def test_a_customer_without_a_message_can_only_be_written_to_if_we_can_start(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        found = self._policy(adapter, ReplyContext(account, _NOW, None))
        if found.state is ReplyState.CLOSED and adapter.capabilities.can_start:
            assert adapter.capabilities.approved_templates, "nothing can be sent to them"
            said = adapter.approved_policy(ReplyContext(account, _NOW, None))
            assert said.state is ReplyState.OPEN, "not even a template can be sent to them"

    def test_who_can_start_says_whom_an_address_is(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        found = [adapter.id_for_address(account, one) for one in _ADDRESSES]
        assert found == [adapter.id_for_address(account, one) for one in _ADDRESSES], "it is not pure"
        ids = [one for one in found if one is not None]
        assert bool(ids) is adapter.capabilities.can_start, "who can start can write to an address"
        for one in ids:
            assert 0 < len(one) <= 255
            assert one == one.strip()
            assert adapter.id_for_address(account, one) == one, "an id of its own is an address it knows"

    def _policy(self, adapter: ChannelAdapter, context: ReplyContext) -> ReplyPolicy:
        found = adapter.reply_policy(context)
        assert isinstance(found, ReplyPolicy)
        automatic = adapter.reply_policy(replace(context, by_person=False))
        assert _ORDER[automatic.state] >= _ORDER[found.state], "machines may not do more than people"
        if automatic.state is ReplyState.PEOPLE_ONLY:
            assert automatic.tag is None, "an automatic sender gets no tag for people"
        return found

    def test_sending_without_credentials_is_an_outcome(
        self, adapter: ChannelAdapter, text: SendRequest
    ) -> None:
        assert isinstance(adapter.send(text), SendResult)

    def test_sending_what_it_cannot_is_an_outcome(self, adapter: ChannelAdapter, text: SendRequest) -> None:
        for kind in set(MessageKind) - adapter.capabilities.sends:
            answer = adapter.send(replace(text, part=OutgoingPart(kind)))
            assert isinstance(answer, SendResult), f"sending {kind}"

    def test_sending_what_it_declares_is_an_outcome(self, adapter: ChannelAdapter, text: SendRequest) -> None:
        for part in declared_parts(adapter.capabilities):
            answer = adapter.send(replace(text, part=part))
            assert isinstance(answer, SendResult), f"sending {part.kind}"

    def test_its_limits_can_be_counted(self, adapter: ChannelAdapter, text: SendRequest) -> None:
        react = ReactRequest(text.account, text.recipient, "m1", "\u2764\ufe0f")
        search = SearchRequest(text.account, text.recipient, text.part, text.message_key, _NOW)
        for request in (text, react, search):
            limits = adapter.limits(request)
            assert limits == adapter.limits(request)
            assert len({(one.key, one.seconds) for one in limits}) == len(limits)
            for one in limits:
                assert isinstance(one, SendLimit)
                assert one.key
                assert one.amount > 0
                assert one.seconds > 0
                assert one.sentence.endswith(".")

    def test_reacting_without_credentials_is_an_outcome(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        for emoji in (next(iter(adapter.capabilities.reactions or {"\u2764\ufe0f"})), ""):
            assert isinstance(adapter.react(ReactRequest(account, "1", "m", emoji)), SendResult)

    def test_the_profile_at_the_provider_without_credentials_is_an_answer(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        for read in (adapter.ice_breakers, adapter.menu):
            assert isinstance(read(account), Mapping | ProviderProblem)
        for write in (adapter.set_ice_breakers, adapter.set_menu):
            assert isinstance(write(account, {}), Mapping | ProviderProblem)

    def test_approved_templates_without_credentials_are_an_answer(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        listed = type(adapter).approved_templates is not ChannelAdapter.approved_templates
        assert listed == adapter.capabilities.approved_templates, "as it is declared"
        found = adapter.approved_templates(account, "")
        assert isinstance(found, ApprovedPage | ProviderProblem)
        one = adapter.find_approved_template(account, "unknown")
        assert isinstance(one, ApprovedTemplate | ProviderProblem)
        templates = [] if isinstance(found, ProviderProblem) else list(found.templates)
        assert len({one.external_id for one in templates}) == len(templates), "an id is unique"
        for template in templates:
            check_approved_template(template, adapter.capabilities)
        for context in (
            ReplyContext(account, _NOW, None),
            ReplyContext(account, _NOW, _NOW, by_person=False),
        ):
            policy = adapter.approved_policy(context)
            assert isinstance(policy, ReplyPolicy)
            assert policy.state is ReplyState.OPEN or policy.sentence

    def test_searching_without_credentials_is_an_answer(
        self, adapter: ChannelAdapter, text: SendRequest
    ) -> None:
        request = SearchRequest(text.account, text.recipient, text.part, text.message_key, _NOW)
        assert isinstance(adapter.search(request), SearchResult)

    def test_history_without_credentials_is_an_answer(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        rules = adapter.capabilities.history
        told = type(adapter).threads is not TellsHistory.threads
        assert told == (rules is not None), "history is declared where it is told, and only there"
        if rules is not None:
            assert rules.details >= 1
            assert all(isinstance(one, str) and one for one in rules.limits), "a limit is a sentence"
        looks = type(adapter).newest is not TellsHistory.newest
        assert looks == (adapter.capabilities.second_look is not None), "as it is declared"
        assert not looks or (rules is not None and type(adapter).latest is not TellsHistory.latest)
        thread = HistoryThread("a thread", "contact")
        assert isinstance(adapter.newest(account, ""), NewestPage | HistoryTrouble)
        assert isinstance(adapter.latest(account, thread), Sequence | HistoryTrouble)
        assert isinstance(adapter.threads(account, ""), ThreadPage | HistoryTrouble)
        assert isinstance(adapter.history(account, thread, ""), HistoryPage | HistoryTrouble)

    def test_a_profile_without_credentials_is_an_answer(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        assert isinstance(adapter.fetch_profile(account, "1"), Profile | NoProfile)
        found = adapter.fetch_profiles(account, ("1", "2"))
        assert isinstance(found, Mapping)
        assert found.keys() <= {"1", "2"}
        assert all(isinstance(one, Profile | NoProfile) for one in found.values())

    def test_locating_a_file_without_credentials_is_an_address_or_a_fetch_error(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        for url in ("https://files.example.com/a", "https://files.example.com/", "x"):
            try:
                found = adapter.locate(account, url)
            except FetchError:
                continue
            assert isinstance(found, str | Located), "an address is text, or a Located"
            assert found, "an address is not empty"

    def test_locating_a_picture_without_credentials_is_an_address_or_a_fetch_error(
        self, adapter: ChannelAdapter, account: AccountRef
    ) -> None:
        try:
            found = adapter.locate_picture(account, "https://files.example.com/a")
        except FetchError:
            return
        assert isinstance(found, str | Located), "an address is text, or a Located"

    def test_every_contact_has_a_label(self, adapter: ChannelAdapter) -> None:
        for contact in ("1026000000000001", "a@example.com", "x", "😀"):
            assert adapter.contact_label(contact).strip()
            assert isinstance(adapter.id_kind(contact), str)
            assert (adapter.profile_url(contact) or "https://").startswith("https://")
