"""The synchronous client.

Made by tools/generate.py: do not edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Optional, Union

from lobby_client import _settings, _wire
from lobby_client._given import UNSET, Content, File, Sendable, Unset
from lobby_client._position import Position
from lobby_client._settings import Settings
from lobby_client._sync.http import Http, Id
from lobby_client._sync.listening import Handler, Listener, OnError
from lobby_client._sync.transport import Transport
from lobby_client._wire import Response
from lobby_client.errors import LobbyError, UnreadableAnswerError
from lobby_client.events import EventChoice, EventPage
from lobby_client.params import (
    AnalyticsStep,
    AssistantModeWord,
    AssistantTrigger,
    AttributeKind,
    BulkActionWord,
    CampaignResult,
    ContactSort,
    ConversationSort,
    ConversationStatus,
    DeliveryFilter,
    EndpointState,
    HandledBy,
    HandledByToSet,
    MessageSort,
    ModerationState,
    RuleBody,
    RuleState,
    SequenceBody,
    SequenceRunFilter,
    SequenceStart,
    Tone,
    ToolEffect,
    TurnFilter,
)
from lobby_client.types import (
    Account,
    AccountAutomation,
    Accounts,
    Analytics,
    ApprovedTemplate,
    ApprovedTemplates,
    Assistant,
    AssistantCase,
    AssistantCases,
    AssistantFigures,
    Assistants,
    AssistantTool,
    AssistantToolCall,
    AssistantToolCalls,
    AssistantTools,
    AssistantTurn,
    AssistantTurns,
    AssistantVersion,
    AssistantVersions,
    Attribute,
    Attributes,
    Blocked,
    BulkAction,
    BusinessHours,
    CampaignPeople,
    CampaignPerson,
    CannedReplies,
    CannedReply,
    Channel,
    Channels,
    ConnectedAccount,
    Contact,
    ContactNote,
    ContactNotes,
    Contacts,
    Conversation,
    Conversations,
    Deliveries,
    Delivery,
    DeliveryWithBody,
    Diagnosis,
    DisconnectedAccount,
    DismissedPastAnswer,
    Endpoint,
    Endpoints,
    FileRef,
    IceBreaker,
    IceBreakersOfAccount,
    Knowledge,
    KnowledgeEntry,
    LabelRef,
    Labels,
    LanguageModel,
    LanguageModels,
    ListedSequence,
    ListedSequenceVersion,
    Macro,
    Macros,
    Me,
    Member,
    Members,
    MenuItem,
    MenuOfAccount,
    Merged,
    Message,
    MessagePage,
    MessagePreview,
    Messages,
    MessagesAfter,
    MessagesAfterChanges,
    PastAnswer,
    PastAnswers,
    PlayedAnswer,
    Post,
    Posts,
    Replayed,
    Rule,
    RuleRun,
    RuleRuns,
    Rules,
    SearchHit,
    SearchResults,
    SendApprovedTemplate,
    Sent,
    SequenceDetail,
    SequenceNumbers,
    SequenceRun,
    SequenceRunDetail,
    SequenceRuns,
    Sequences,
    SequenceSecret,
    SequenceVersion,
    SequenceVersions,
    Snooze,
    Started,
    Team,
    Teams,
    TriedCases,
    TriedTool,
    Upload,
    View,
    Views,
    WithSecret,
)

PLAY_SECONDS = 60.0
"""The longest time an assistant may take to answer."""
DIAGNOSE_SECONDS = 60.0
"""Longest time that a diagnosis takes: it asks the provider several things."""
TRYING_SECONDS = 20.0
"""The time after which the desk starts no further test case."""


class Lobby:
    """A desk, accessed with an API key. Each group of calls is an attribute: ``client.messages.send(...)``.

    :param url: the address of the desk; None: that in ``LOBBY_URL``.
    :param api_key: ``lobby_...``, from Settings, API keys; None: that in ``LOBBY_API_KEY``.
    :param timeout: seconds an attempt may wait for the desk.
    :param max_retries: how often a call is tried again that was not answered, or asked to come back later.
        It has one idempotency key however often it is tried, so that nothing is sent twice.
    :param page_size: how many entries ``list`` and the like ask for at a time, up to 100.
    :param proxy: the address of a proxy; None: none. None is read from the environment.
    :param ca_file: a file with the certificates to trust, in PEM; None: those of this machine.
    :param allow_http: send the key over http to another machine than this one.
    :param base_url: the earlier name of *url*.
    :raises ValueError: for a key or an address that is missing, or cannot be one.
    :raises OSError: if *ca_file* cannot be read.

    Calls raise the classes of :mod:`lobby_client.errors`. Threads may share an object.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        api_key: Optional[str] = None,
        timeout: float = 30.0,
        max_retries: int = 4,
        page_size: int = 100,
        proxy: Optional[str] = None,
        ca_file: Optional[str] = None,
        allow_http: bool = False,
        base_url: Optional[str] = None,
    ) -> None:
        key = _settings.given_key(api_key)
        found, name = _settings.given_url(url, base_url)
        address = _wire.address(found, allow_http=allow_http, name=name)
        settings = Settings(timeout, max_retries, page_size)
        self._use(Http(address, key, settings, Transport(proxy=proxy, ca_file=ca_file)))

    def _use(self, http: Http) -> None:
        self._http = http
        self.accounts = AccountCalls(http)
        self.analytics = AnalyticsCalls(http)
        self.canned_replies = CannedReplyCalls(http)
        self.contacts = ContactCalls(http)
        self.assistants = AssistantCalls(http)
        self.attributes = AttributeCalls(http)
        self.conversations = ConversationCalls(http)
        self.endpoints = EndpointCalls(http)
        self.events = EventCalls(http)
        self.files = FileCalls(http)
        self.hours = HoursCalls(http)
        self.instagram = InstagramCalls(http)
        self.labels = LabelCalls(http)
        self.macros = MacroCalls(http)
        self.members = MemberCalls(http)
        self.views = ViewCalls(http)
        self.messages = MessageCalls(http)
        self.posts = PostCalls(http)
        self.rules = RuleCalls(http)
        self.sequences = SequenceCalls(http)
        self.search = SearchCalls(http)
        self.teams = TeamCalls(http)

    def with_options(
        self,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        page_size: Optional[int] = None,
    ) -> Lobby:
        """Return a client with other settings, for one call or several; it shares the open connections.

        ``client.with_options(timeout=5).messages.send(...)``. Closing either of them closes both.
        """
        other = copy(self)
        other._use(self._http.with_settings(self._http.settings.changed(timeout, max_retries, page_size)))
        return other

    def request(
        self,
        method: str,
        path: str,
        *ids: Id,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        if_match: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Response:
        """Make any call of the API; return its JSON with the status and the headers of the response.

        :param path: below ``/api/v1``, with ``{}`` for each of *ids*: ``/labels/{}``.
        :param body: in the API's names; None: none.
        :raises UnreadableAnswerError: if the response is not JSON.
        """
        content = None if body is None else _wire.encoded(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        answer = self._http.raw(
            method,
            path,
            *ids,
            query=query,
            content=content,
            headers=headers,
            if_match=if_match,
            idempotency_key=idempotency_key,
        )
        try:
            return Response(answer.status, answer.headers, answer.json())
        except ValueError:
            raise UnreadableAnswerError(
                f"{method} {path} was answered with something else than JSON"
            ) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._http.url!r})"

    def description(self) -> Any:
        """Return the API's own description, as OpenAPI 3.1."""
        return self._http.call("GET", "/openapi.json")

    def me(self) -> Me:
        """Return who the key is: its name and workspace, what it may do and until when, and the version."""
        return Me.from_wire(self._http.call("GET", "/me"))

    def close(self) -> None:
        """Close open connections. ``with`` does that too."""
        self._http.close()

    def __enter__(self) -> Lobby:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class _Calls:
    def __init__(self, http: Http) -> None:
        self._call = http.call
        self._raw = http.raw
        self._page_size = http.settings.page_size


class MessageCalls(_Calls):
    """Messages: read, send and react."""

    def send(
        self,
        *,
        channel_id: str,
        to: str,
        content: Content,
        reply_to: Optional[int] = None,
        send_at: Optional[datetime] = None,
        unless_written: bool = True,
        answer: Optional[str] = None,
        cc: Sequence[str] = (),
        bcc: Sequence[str] = (),
        own_address: Optional[str] = None,
        if_last_message_id: Optional[int] = None,
        idempotency_key: Optional[str] = None,
    ) -> Sent:
        """Send *content* to the customer *to* of a channel; return the messages it became, one or several.

        It waits to be sent by then; :meth:`get` tells the state of each. Nobody can be written to who has
        not written first.

        :param channel_id: the public id of the account; ``channel_id`` of an account of the desk.
        :param to: the customer's id at the provider.
        :param content: ``{"type": "text", "text": ...}`` and so on, in camelCase or snake_case, or one of
            ``TextContent``, ``ImageContent``, ... of :mod:`lobby_client.types`.
        :param reply_to: the id of the message that it quotes, or answers below a post.
        :param send_at: when it is sent, with a time zone; None: now.
        :param unless_written: with *send_at*: whether it is not sent if the customer writes first.
        :param answer: ``everyone`` on the newest message, its writer alone (``person``), or the mailing list
            it came through (``list``), if the channel has copies; None: everyone.
        :param cc: further recipients, *bcc*: hidden ones, if the channel has copies.
        :param own_address: which of the account's addresses it is sent from; None: the one they wrote to.
        :param if_last_message_id: the newest message you know; if the team replied since, nothing is sent.
        :param idempotency_key: names this message, so that a program that was stopped may call again.
        """
        body: dict[str, Any] = {"channelId": channel_id, "to": to, "content": content}
        given: dict[str, Any] = {"replyTo": reply_to, "sendAt": send_at, "ownAddress": own_address}
        given.update(ifLastMessageId=if_last_message_id, answer=answer, cc=[*cc] or None, bcc=[*bcc] or None)
        body.update((name, value) for name, value in given.items() if value is not None)
        if not unless_written:
            body["unlessWritten"] = False
        return Sent.from_wire(self._call("POST", "/messages", body=body, idempotency_key=idempotency_key))

    def reply(self, message: Sendable, *, idempotency_key: Optional[str] = None) -> Sent:
        """Send a message in the API's own form, with more kinds, and a conversation as recipient.

        :param message: ``SendText(conversation_id=42, text=...)`` and so on, of :mod:`lobby_client.types`. It
            has what every message can have: ``reply_to``, ``send_at``, ``cc`` and so on.
        """
        return Sent.from_wire(self._call("POST", "/messages", body=message, idempotency_key=idempotency_key))

    def get(self, message_id: int) -> Message:
        """Return a message with its delivery state, such as sent, read or failed, and the reason."""
        return Message.from_wire(self._call("GET", "/messages/{}", message_id))

    def page(
        self,
        conversation_id: int,
        *,
        before: Optional[str] = None,
        after: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> Messages:
        """Return a page of a conversation's messages, oldest first; without a cursor the latest."""
        query = {"cursor": before, "after": after, "limit": limit}
        path = "/conversations/{}/messages"
        return Messages.from_wire(self._call("GET", path, conversation_id, query=query))

    def list(self, conversation_id: int) -> Iterator[Message]:
        """Yield the messages of a conversation, newest first, page by page."""
        page = self.page(conversation_id, limit=self._page_size)
        while True:
            for message in reversed(page.data):
                yield message
            if not page.has_before:
                return
            page = self.page(conversation_id, before=page.before, limit=self._page_size)

    def all_page(
        self,
        *,
        updated_since: Optional[datetime] = None,
        sort: Optional[MessageSort] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> MessagePage:
        """Return a page of the messages of all conversations; see :meth:`list_all`."""
        query = {"updated_since": _time(updated_since), "sort": sort, "limit": limit, "cursor": cursor}
        return MessagePage.from_wire(self._call("GET", "/messages", query=query))

    def list_all(
        self, *, updated_since: Optional[datetime] = None, sort: Optional[MessageSort] = None
    ) -> Iterator[Message]:
        """Yield the messages of all conversations, the one that was stored last first.

        :param updated_since: only those that changed since then, oldest change first; with a time zone.
        :param sort: ``newest``, ``oldest`` or, with *updated_since*, ``updated``.
        """
        cursor = None
        while True:
            page = self.all_page(updated_since=updated_since, sort=sort, limit=self._page_size, cursor=cursor)
            for message in page.data:
                yield message
            if page.next is None:
                return
            cursor = page.next

    def edit(self, message_id: int, text: str, *, if_match: Optional[str] = None) -> Message:
        """Change the text of a message that was not sent yet.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        return Message.from_wire(
            self._call("PATCH", "/messages/{}", message_id, body={"text": text}, if_match=if_match)
        )

    def reschedule(
        self,
        message_id: int,
        send_at: Optional[datetime],
        *,
        unless_written: bool = True,
        if_match: Optional[str] = None,
    ) -> Message:
        """Reschedule a reply.

        :param send_at: with a time zone; None: it goes out now.
        :param unless_written: whether it stays there if the customer writes first.
        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        body = {"sendAt": send_at, "unlessWritten": unless_written}
        return Message.from_wire(
            self._call("PATCH", "/messages/{}", message_id, body=body, if_match=if_match)
        )

    def cancel(self, message_id: int) -> Message:
        """Cancel a message that was not sent yet."""
        path = "/messages/{}/cancel"
        return Message.from_wire(self._call("POST", path, message_id))

    def preview(self, message: Sendable) -> MessagePreview:
        """Return the messages that :meth:`reply` would send, or raise what it would raise. Sends nothing.

        Files have to be uploaded first.
        """
        return MessagePreview.from_wire(self._call("POST", "/messages/preview", body=message))

    def retry(
        self,
        message_id: int,
        *,
        may_repeat: bool = False,
        own_address: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Message:
        """Send a failed message again.

        :param may_repeat: also send one that is ``unknown``, although it may have arrived already.
        :param own_address: another address of the account to send it from.
        """
        body: dict[str, Any] = {"mayRepeat": may_repeat}
        if own_address is not None:
            body["ownAddress"] = own_address
        path = "/messages/{}/retry"
        return Message.from_wire(
            self._call("POST", path, message_id, body=body, idempotency_key=idempotency_key)
        )

    def check(self, message_id: int) -> Message:
        """Look for a message that is ``unknown`` at the provider; :meth:`get` returns what was found."""
        return Message.from_wire(self._call("POST", "/messages/{}/check", message_id))

    def react(self, message_id: int, emoji: str) -> Message:
        """React to a message. The team has one reaction per message."""
        path = "/messages/{}/reactions"
        return Message.from_wire(self._call("PUT", path, message_id, body={"emoji": emoji}))

    def remove_reaction(self, message_id: int) -> None:
        """Remove the team's reaction to a message."""
        self._call("DELETE", "/messages/{}/reactions", message_id)

    def moderate(self, message_id: int, state: ModerationState) -> Message:
        """Hide a customer's message at the provider, show it again, or delete it there.

        :param state: ``hidden``, ``shown`` or ``deleted``.
        """
        path = "/messages/{}/moderation"
        return Message.from_wire(self._call("PUT", path, message_id, body={"state": state}))


class PostCalls(_Calls):
    """Posts that customers comment on: reels, pictures, ads, broadcasts."""

    def get(self, post_id: int) -> Post:
        """Return a post."""
        return Post.from_wire(self._call("GET", "/posts/{}", post_id))

    def page(
        self, *, account: Optional[int] = None, limit: Optional[int] = None, cursor: Optional[str] = None
    ) -> Posts:
        """Return a page of posts, the one with the latest activity first; see :meth:`list`."""
        query = {"account": account, "limit": limit, "cursor": cursor}
        return Posts.from_wire(self._call("GET", "/posts", query=query))

    def list(self, *, account: Optional[int] = None) -> Iterator[Post]:
        """Yield the posts, the one with the latest activity first.

        :param account: the id of an account.
        """
        cursor = None
        while True:
            page = self.page(account=account, limit=self._page_size, cursor=cursor)
            for post in page.data:
                yield post
            if page.next is None:
                return
            cursor = page.next


class ConversationCalls(_Calls):
    """Conversations between a contact and the team on one account."""

    def page(
        self,
        *,
        status: Optional[ConversationStatus] = None,
        channel: Optional[str] = None,
        account: Optional[int] = None,
        assignee: Union[int, Literal["none"], None] = None,
        team: Union[int, Literal["none"], None] = None,
        contact: Optional[str] = None,
        labels: Sequence[int] = (),
        all_labels: Sequence[int] = (),
        no_labels: Sequence[int] = (),
        snoozed: Optional[bool] = None,
        spam: bool = False,
        needs_reply: Optional[bool] = None,
        failed: Optional[bool] = None,
        mentioned: Optional[int] = None,
        late: Optional[bool] = None,
        handled_by: Optional[HandledBy] = None,
        scheduled: Optional[bool] = None,
        post: Optional[int] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
        updated_since: Optional[datetime] = None,
        sort: Optional[ConversationSort] = None,
    ) -> Conversations:
        """Return a page of conversations, the one with the latest message first; see :meth:`list`."""
        query = {
            "status": status,
            "channel": channel,
            "account": account,
            "assignee": assignee,
            "team": team,
            "contact": contact,
            "labels": _ids(labels),
            "all_labels": _ids(all_labels),
            "no_labels": _ids(no_labels),
            "snoozed": _yes_or_no(snoozed),
            "spam": _yes_or_no(spam or None),
            "needs_reply": _yes_or_no(needs_reply),
            "failed": _yes_or_no(failed),
            "mentioned": mentioned,
            "late": _yes_or_no(late),
            "handled_by": handled_by,
            "scheduled": _yes_or_no(scheduled),
            "post": post,
            "limit": limit,
            "cursor": cursor,
            "updated_since": _time(updated_since),
            "sort": sort,
        }
        return Conversations.from_wire(self._call("GET", "/conversations", query=query))

    def list(
        self,
        *,
        status: Optional[ConversationStatus] = None,
        channel: Optional[str] = None,
        account: Optional[int] = None,
        assignee: Union[int, Literal["none"], None] = None,
        team: Union[int, Literal["none"], None] = None,
        contact: Optional[str] = None,
        labels: Sequence[int] = (),
        all_labels: Sequence[int] = (),
        no_labels: Sequence[int] = (),
        snoozed: Optional[bool] = None,
        spam: bool = False,
        needs_reply: Optional[bool] = None,
        failed: Optional[bool] = None,
        mentioned: Optional[int] = None,
        late: Optional[bool] = None,
        handled_by: Optional[HandledBy] = None,
        scheduled: Optional[bool] = None,
        post: Optional[int] = None,
        updated_since: Optional[datetime] = None,
        sort: Optional[ConversationSort] = None,
    ) -> Iterator[Conversation]:
        """Yield the conversations that match all conditions, the one with the latest message first.

        :param status: ``open`` or ``closed``.
        :param channel: the key of a channel.
        :param account: the id of an account.
        :param assignee: the id of a person, or ``none``.
        :param team: the id of a team, or ``none``.
        :param contact: the customer's id at the provider.
        :param labels: ids of labels, of which it has one or more.
        :param all_labels: it has each; *no_labels*: it has none of them.
        :param snoozed: whether it is put away; None: both.
        :param spam: spam alone; otherwise none of it.
        :param needs_reply: whether the customer had the last word.
        :param failed: whether a message of ours failed.
        :param mentioned: the id of a person whom a note there mentions.
        :param late: whether the customer waits for longer than the account's time for an answer.
        :param handled_by: ``nobody``, ``person`` or ``automation``.
        :param scheduled: whether a reply waits for its time.
        :param post: the id of the post it is about.
        :param updated_since: only those that changed since then, oldest change first; with a time zone.
        :param sort: ``newest``, ``waiting`` or, with *updated_since*, ``updated``.
        """
        cursor = None
        while True:
            page = self.page(
                status=status,
                channel=channel,
                account=account,
                assignee=assignee,
                team=team,
                contact=contact,
                labels=labels,
                all_labels=all_labels,
                no_labels=no_labels,
                snoozed=snoozed,
                spam=spam,
                needs_reply=needs_reply,
                failed=failed,
                mentioned=mentioned,
                late=late,
                handled_by=handled_by,
                scheduled=scheduled,
                post=post,
                updated_since=updated_since,
                sort=sort,
                limit=self._page_size,
                cursor=cursor,
            )
            for conversation in page.data:
                yield conversation
            cursor = page.next
            if cursor is None:
                return

    def get(self, conversation_id: int) -> Conversation:
        """Return a conversation: contact, assignee, and whether a reply may be sent now."""
        return Conversation.from_wire(self._call("GET", "/conversations/{}", conversation_id))

    def change(
        self,
        conversation_id: int,
        *,
        assignee: Union[int, Unset, None] = UNSET,
        team: Union[int, Unset, None] = UNSET,
        status: Union[ConversationStatus, Unset] = UNSET,
        add_labels: Sequence[int] = (),
        remove_labels: Sequence[int] = (),
        snooze: Union[Snooze, Unset, None] = UNSET,
        spam: Union[bool, Unset] = UNSET,
        handled_by: Union[HandledByToSet, Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> Conversation:
        """Assign, close, reopen, label or snooze a conversation; omitted fields stay unchanged.

        :param assignee: the id of a person; None: nobody.
        :param team: the id of a team; None: none. Who has it and is not in the team has it no more, unless
            *assignee* is given.
        :param status: ``open`` or ``closed``.
        :param add_labels: ids of labels to put on it; *remove_labels*: to take off.
        :param snooze: ``Snooze(kind="reply")`` and so on; None: it comes back now.
        :param spam: whether it is spam.
        :param handled_by: ``person``: nothing automatic is sent there any more; ``nobody``: it may be again.
        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked: dict[str, Any] = {
            "assignee": assignee,
            "team": team,
            "status": status,
            "snooze": snooze,
            "spam": spam,
            "handledBy": handled_by,
        }
        body = {name: value for name, value in asked.items() if value is not UNSET}
        if add_labels:
            body["addLabels"] = list(add_labels)
        if remove_labels:
            body["removeLabels"] = list(remove_labels)
        path = "/conversations/{}"
        return Conversation.from_wire(
            self._call("PATCH", path, conversation_id, body=body, if_match=if_match)
        )

    def change_many(
        self,
        action: BulkActionWord,
        *,
        conversation_ids: Optional[Sequence[int]] = None,
        filter: Optional[Mapping[str, Any]] = None,
        all: bool = False,
        assignee: Optional[int] = None,
        team: Optional[int] = None,
        label: Optional[int] = None,
        snooze: Optional[Snooze] = None,
        idempotency_key: Optional[str] = None,
    ) -> BulkAction:
        """Change many conversations in the background; :meth:`bulk_action` returns the progress.

        :param action: ``close``, ``open``, ``assign``, ``team``, ``label``, ``unlabel``, ``snooze``,
            ``wake``, ``spam``, ``unspam`` or ``read``.
        :param conversation_ids: these alone, 200 at most.
        :param filter: else all that match now, in the API's names: ``{"status": "open", "labels": "3"}``.
        :param all: has to be true for a filter that all conversations match, such as ``{}``.
        :param assignee: with ``assign``; None: nobody.
        :param team: with ``team``; None: none.
        """
        asked = {
            "all": all or None,
            "conversationIds": None if conversation_ids is None else list(conversation_ids),
            "filter": filter,
            "assignee": assignee,
            "team": team,
            "label": label,
            "snooze": snooze,
        }
        body = {"action": action, **{name: value for name, value in asked.items() if value is not None}}
        return BulkAction.from_wire(
            self._call("POST", "/bulk-actions", body=body, idempotency_key=idempotency_key)
        )

    def bulk_action(self, bulk_id: int) -> BulkAction:
        """Return the progress of a bulk action."""
        return BulkAction.from_wire(self._call("GET", "/bulk-actions/{}", bulk_id))

    def stop(self, bulk_id: int) -> BulkAction:
        """Stop a bulk action; what it changed stays changed."""
        return BulkAction.from_wire(self._call("POST", "/bulk-actions/{}/stop", bulk_id))

    def undo(self, bulk_id: int) -> BulkAction:
        """Undo a bulk action, except for what was changed since."""
        return BulkAction.from_wire(self._call("POST", "/bulk-actions/{}/undo", bulk_id))

    def add_note(
        self,
        conversation_id: int,
        text: str,
        *,
        mentions: Sequence[int] = (),
        teams: Sequence[int] = (),
        idempotency_key: Optional[str] = None,
    ) -> Message:
        """Add a note that only the team sees.

        :param mentions: ids of people who are told of it; *teams*: of teams, whose members are.
        """
        path = "/conversations/{}/notes"
        body: dict[str, Any] = {"text": text}
        if mentions:
            body["mentions"] = list(mentions)
        if teams:
            body["teams"] = list(teams)
        return Message.from_wire(
            self._call("POST", path, conversation_id, body=body, idempotency_key=idempotency_key)
        )

    def edit_note(
        self,
        note_id: int,
        text: str,
        *,
        mentions: Optional[Sequence[int]] = None,
        teams: Optional[Sequence[int]] = None,
        edit_count: Optional[int] = None,
    ) -> Message:
        """Change the text of a note that a key of the same name added.

        :param mentions: ids of everybody it mentions now, *teams*: of all teams; None: those it mentioned.
        :param edit_count: the ``edit_count`` that was read; if it was edited since, it is a ConflictError.
        """
        body: dict[str, Any] = {"text": text}
        if mentions is not None:
            body["mentions"] = list(mentions)
        if teams is not None:
            body["teams"] = list(teams)
        if edit_count is not None:
            body["editCount"] = edit_count
        return Message.from_wire(self._call("PATCH", "/notes/{}", note_id, body=body))

    def delete_note(self, note_id: int) -> None:
        """Delete the content of a note that a key of the same name added."""
        self._call("DELETE", "/notes/{}", note_id)

    def forward(
        self,
        conversation_id: int,
        to: Sequence[str],
        *,
        message_id: Optional[int] = None,
        account_id: Optional[int] = None,
        note: str = "",
        files: bool = True,
        idempotency_key: Optional[str] = None,
    ) -> Message:
        """Forward a message, or a conversation, to somebody else by email. The customer doesn't see it.

        :param to: addresses, also as ``Ana Lima <ana@example.org>``.
        :param message_id: None: the conversation.
        :param account_id: the account it goes from; None: the first that can.
        :param note: what stands above the messages.
        :param files: whether their files go along.
        """
        path = "/conversations/{}/forwards"
        body: dict[str, Any] = {"to": list(to), "note": note, "files": files}
        if message_id is not None:
            body["messageId"] = message_id
        if account_id is not None:
            body["accountId"] = account_id
        return Message.from_wire(
            self._call("POST", path, conversation_id, body=body, idempotency_key=idempotency_key)
        )

    def messages_after(self, conversation_id: int) -> Sequence[MessagesAfter]:
        """Return which changes of a conversation could lead to messages, and what would send them."""
        path = "/conversations/{}/messages-after"
        return MessagesAfterChanges.from_wire(self._call("GET", path, conversation_id)).data

    def show_typing(self, conversation_id: int, *, on: bool = True) -> None:
        """Show the customer that somebody is typing. Returns at once."""
        self._call("POST", "/conversations/{}/typing", conversation_id, body={"on": on})

    def show_seen(self, conversation_id: int) -> None:
        """Show the customer that their messages were seen. Returns at once."""
        self._call("POST", "/conversations/{}/seen", conversation_id)

    def mark_read(
        self, conversation_id: int, *, until: Optional[int] = None, member_id: Optional[int] = None
    ) -> Conversation:
        """Mark a conversation as read.

        :param until: the id of the last message read; None: all of them.
        :param member_id: the id of the person who read it; None: the team as a whole.
        """
        given = {"until": until, "memberId": member_id}
        body = {name: value for name, value in given.items() if value is not None}
        path = "/conversations/{}/read"
        return Conversation.from_wire(self._call("POST", path, conversation_id, body=body))

    def mark_unread(self, conversation_id: int, *, member_id: int) -> Conversation:
        """Mark a conversation as unread for a person."""
        path, body = "/conversations/{}/unread", {"memberId": member_id}
        return Conversation.from_wire(self._call("POST", path, conversation_id, body=body))

    def hand_over(
        self,
        conversation_id: int,
        *,
        note: str = "",
        assignee: Optional[int] = None,
        team: Optional[int] = None,
        idempotency_key: Optional[str] = None,
    ) -> Conversation:
        """Hand a conversation off to people: automation stays silent until it is closed.

        :param note: why, for whoever goes on: a private note.
        :param assignee: the id of who gets it, *team*: of which team; None: as it is.
        """
        given = {"note": note, "assignee": assignee, "team": team}
        body = {name: value for name, value in given.items() if value not in {"", None}}
        path = "/conversations/{}/hand-over"
        return Conversation.from_wire(
            self._call("POST", path, conversation_id, body=body, idempotency_key=idempotency_key)
        )

    def take(self, conversation_id: int, *, note: str = "") -> Conversation:
        """Take control of a conversation from another app, if the provider supports that."""
        path = "/conversations/{}/request-control"
        found = self._call("POST", path, conversation_id, body={"note": note})
        return Conversation.from_wire(found)

    def hand_on(self, conversation_id: int, *, to: str, note: str = "") -> Conversation:
        """Pass control of a conversation to the app *to*."""
        path, body = "/conversations/{}/pass-control", {"to": to, "note": note}
        return Conversation.from_wire(self._call("POST", path, conversation_id, body=body))

    def release(self, conversation_id: int, *, note: str = "") -> Conversation:
        """Release control of a conversation: the provider chooses who answers next."""
        path, body = "/conversations/{}/release-control", {"note": note}
        return Conversation.from_wire(self._call("POST", path, conversation_id, body=body))


class ContactCalls(_Calls):
    """Contacts of the workspace."""

    def get(self, contact_id: int) -> Contact:
        """Return a contact, with its id on each account."""
        return Contact.from_wire(self._call("GET", "/contacts/{}", contact_id))

    def page(
        self,
        *,
        q: Optional[str] = None,
        channel: Optional[str] = None,
        label: Optional[int] = None,
        attribute: Optional[int] = None,
        value: Optional[str] = None,
        opted_out: Optional[bool] = None,
        blocked: Optional[bool] = None,
        since: Optional[str] = None,
        before: Optional[str] = None,
        sort: Optional[ContactSort] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
        updated_since: Optional[datetime] = None,
    ) -> Contacts:
        """Return a page of contacts; see :meth:`list`."""
        query = {"q": q, "channel": channel, "label": label, "attribute": attribute, "value": value}
        query.update(optedOut=opted_out, blocked=blocked, since=since, before=before)
        query.update(sort=sort, limit=limit, cursor=cursor, updatedSince=_time(updated_since))
        return Contacts.from_wire(self._call("GET", "/contacts", query=query))

    def list(
        self,
        *,
        q: Optional[str] = None,
        channel: Optional[str] = None,
        label: Optional[int] = None,
        attribute: Optional[int] = None,
        value: Optional[str] = None,
        opted_out: Optional[bool] = None,
        blocked: Optional[bool] = None,
        since: Optional[str] = None,
        before: Optional[str] = None,
        sort: Optional[ContactSort] = None,
        updated_since: Optional[datetime] = None,
    ) -> Iterator[Contact]:
        """Yield contacts, newest first.

        :param q: words that names, handles or addresses begin with.
        :param channel: the key of a channel they use.
        :param label: the id of a label of one of their conversations.
        :param attribute: the id of an attribute that has *value*.
        :param since: only with messages since this day, ``2026-11-01``; *before*: only without any since.
        :param sort: ``newest``, ``recent``, ``quiet`` or, with *updated_since*, ``updated``.
        :param updated_since: only those that changed since then, oldest change first; with a time zone.
        """
        cursor = None
        while True:
            page = self.page(
                q=q,
                channel=channel,
                label=label,
                attribute=attribute,
                value=value,
                opted_out=opted_out,
                blocked=blocked,
                since=since,
                before=before,
                sort=sort,
                updated_since=updated_since,
                limit=self._page_size,
                cursor=cursor,
            )
            for contact in page.data:
                yield contact
            if page.next is None:
                return
            cursor = page.next

    def change(
        self,
        contact_id: int,
        *,
        name: Union[str, Unset, None] = UNSET,
        email: Union[str, Unset, None] = UNSET,
        attributes: Union[Mapping[str, Optional[str]], Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> Contact:
        """Change details of a contact. Omitted fields stay unchanged; None clears a field.

        :param attributes: by the id of the attribute, as text.
        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked: dict[str, Any] = {"name": name, "email": email, "attributes": attributes}
        body = {one: value for one, value in asked.items() if value is not UNSET}
        return Contact.from_wire(
            self._call("PATCH", "/contacts/{}", contact_id, body=body, if_match=if_match)
        )

    def notes(self, contact_id: int) -> Sequence[ContactNote]:
        """Return the notes about a contact, the newest first."""
        return ContactNotes.from_wire(self._call("GET", "/contacts/{}/notes", contact_id)).data

    def note(self, contact_id: int, note_id: int) -> ContactNote:
        """Return a note about a contact."""
        path = "/contacts/{}/notes/{}"
        return ContactNote.from_wire(self._call("GET", path, contact_id, note_id))

    def conversations_page(
        self, contact_id: int, *, limit: Optional[int] = None, cursor: Optional[str] = None
    ) -> Conversations:
        """Return a page of the conversations of a contact; see :meth:`conversations`."""
        path = "/contacts/{}/conversations"
        query = {"limit": limit, "cursor": cursor}
        return Conversations.from_wire(self._call("GET", path, contact_id, query=query))

    def conversations(self, contact_id: int) -> Iterator[Conversation]:
        """Yield the conversations of a contact on all accounts, the one with the latest message first."""
        cursor = None
        while True:
            page = self.conversations_page(contact_id, limit=self._page_size, cursor=cursor)
            for conversation in page.data:
                yield conversation
            if page.next is None:
                return
            cursor = page.next

    def add_note(self, contact_id: int, text: str, *, idempotency_key: Optional[str] = None) -> ContactNote:
        """Add a note about a contact."""
        path, body = "/contacts/{}/notes", {"text": text}
        return ContactNote.from_wire(
            self._call("POST", path, contact_id, body=body, idempotency_key=idempotency_key)
        )

    def start(
        self,
        contact_id: int,
        account_id: int,
        text: Optional[str] = None,
        *,
        template: Optional[SendApprovedTemplate] = None,
        to: Optional[str] = None,
        previous_id: Optional[int] = None,
        subject: Optional[str] = None,
        files: Sequence[FileRef] = (),
        cc: Sequence[str] = (),
        bcc: Sequence[str] = (),
        own_address: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Started:
        """Start a conversation with a contact, on an account whose channel supports it.

        :param template: an approved template instead of a text: its ``template_id``, ``parameters`` and
            ``file``. All that can be sent where the reply window is closed until they write.
        :param to: their external id there; None: an address they are known by.
        :param own_address: which of the account's addresses it goes from; None: its own.
        :param previous_id: the conversation it goes on from, which is closed.
        """
        asked: dict[str, Any] = {"text": text, "to": to, "previousId": previous_id, "subject": subject}
        asked["ownAddress"] = own_address
        if template is not None:
            given = {"templateId": template.template_id, "parameters": template.parameters}
            asked["template"] = given if template.file is None else {**given, "file": template.file}
        body = {one: value for one, value in asked.items() if value is not None}
        body |= {"accountId": account_id, "cc": [*cc], "bcc": [*bcc]}
        body["files"] = [*files]
        path = "/contacts/{}/conversations"
        return Started.from_wire(
            self._call("POST", path, contact_id, body=body, idempotency_key=idempotency_key)
        )

    def opt_out(self, contact_id: int, *, source: str = "") -> Contact:
        """Opt a contact out of automated messages.

        :param source: how that is known.
        """
        path, body = "/contacts/{}/opt-out", {"source": source}
        return Contact.from_wire(self._call("PUT", path, contact_id, body=body))

    def opt_in(self, contact_id: int) -> None:
        """Opt a contact in to automated messages again."""
        self._call("DELETE", "/contacts/{}/opt-out", contact_id)

    def block(self, contact_id: int) -> Blocked:
        """Block a contact, here and at each provider that supports it."""
        return Blocked.from_wire(self._call("PUT", "/contacts/{}/block", contact_id))

    def unblock(self, contact_id: int) -> Blocked:
        """Unblock a contact."""
        return Blocked.from_wire(self._call("DELETE", "/contacts/{}/block", contact_id))

    def merge(self, contact_id: int, other: int, *, take: Sequence[str] = ()) -> Merged:
        """Merge *other* into a contact.

        :param take: details of which the other's is kept: ``name``, ``email``, ``attribute:5``.
        """
        path, body = "/contacts/{}/merge", {"other": other, "take": [*take]}
        return Merged.from_wire(self._call("POST", path, contact_id, body=body))

    def split(self, contact_id: int, merge: int) -> Contact:
        """Undo a merge, and return the contact that was split off."""
        path, body = "/contacts/{}/split", {"merge": merge}
        return Contact.from_wire(self._call("POST", path, contact_id, body=body))

    def erase(self, contact_id: int, *, if_match: Optional[str] = None) -> None:
        """Erase what is stored about a contact, permanently. The key needs the scope ``erase``.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/contacts/{}", contact_id, if_match=if_match)

    def export(self, contact_id: int) -> File:
        """Return all data of a contact as a zip."""
        answer = self._raw("GET", "/contacts/{}/export", contact_id)
        return File(answer.body, answer.headers.get("content-type", ""))


class AttributeCalls(_Calls):
    """Attributes: additional fields of the workspace's contacts."""

    def list(self) -> Sequence[Attribute]:
        """Return every attribute, oldest first."""
        return Attributes.from_wire(self._call("GET", "/contact-attributes")).data

    def get(self, attribute_id: int) -> Attribute:
        """Return an attribute."""
        return Attribute.from_wire(self._call("GET", "/contact-attributes/{}", attribute_id))

    def create(self, name: str, kind: AttributeKind = "text", *, choices: Sequence[str] = ()) -> Attribute:
        """Add an attribute.

        :param kind: ``text``, ``number``, ``date``, ``yes_no`` or ``choice``.
        :param choices: of a choice, the words there are.
        """
        path, body = "/contact-attributes", {"name": name, "kind": kind, "choices": [*choices]}
        return Attribute.from_wire(self._call("POST", path, body=body))

    def change(
        self,
        attribute_id: int,
        *,
        name: Union[str, Unset] = UNSET,
        choices: Union[Sequence[str], Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> Attribute:
        """Rename an attribute or its choices; omitted fields stay unchanged.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked: dict[str, Any] = {"name": name, "choices": choices}
        body = {one: value for one, value in asked.items() if value is not UNSET}
        path = "/contact-attributes/{}"
        return Attribute.from_wire(self._call("PATCH", path, attribute_id, body=body, if_match=if_match))

    def delete(self, attribute_id: int, *, if_match: Optional[str] = None) -> None:
        """Delete an attribute and its values.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/contact-attributes/{}", attribute_id, if_match=if_match)


class AccountCalls(_Calls):
    """Accounts of the workspace. Each is identified by its ``id`` or its ``channel_id``."""

    def list(self) -> Sequence[Account]:
        """Return every account the workspace has ever connected."""
        return Accounts.from_wire(self._call("GET", "/accounts")).data

    def get(self, account: Id) -> Account:
        """Return an account with its capabilities and limits."""
        return Account.from_wire(self._call("GET", "/accounts/{}", account))

    def change(self, account: Id, *, reply_target: Union[int, Unset, None] = UNSET) -> Account:
        """Change an account; omitted fields stay unchanged.

        :param reply_target: the response target in minutes, up to 43200; None: none.
        """
        body = {} if isinstance(reply_target, Unset) else {"replyTarget": reply_target}
        return Account.from_wire(self._call("PATCH", "/accounts/{}", account, body=body))

    def set_reply_target(self, account: Id, minutes: Optional[int]) -> Account:
        """Set the response target in minutes; None removes it. The same as :meth:`change`."""
        return self.change(account, reply_target=minutes)

    def channels(self) -> Sequence[Channel]:
        """Return the channels whose accounts can be connected with credentials, with their fields."""
        return Channels.from_wire(self._call("GET", "/channels")).data

    def connect(
        self, channel: str, values: Mapping[str, str], *, idempotency_key: Optional[str] = None
    ) -> ConnectedAccount:
        """Connect an account. The key needs the scope ``accounts:write``.

        :param values: the values of the channel's fields, by their names.
        """
        body = {"channel": channel, "values": dict(values)}
        return ConnectedAccount.from_wire(
            self._call("POST", "/accounts", body=body, idempotency_key=idempotency_key)
        )

    def disconnect(self, account: Id) -> DisconnectedAccount:
        """Disconnect an account. Its conversations stay."""
        return DisconnectedAccount.from_wire(self._call("DELETE", "/accounts/{}", account))

    def diagnose(self, account: Id) -> Diagnosis:
        """Run the checks of an account; what to fix first comes first."""
        path = "/accounts/{}/diagnosis"
        return Diagnosis.from_wire(self._call("POST", path, account, wait=DIAGNOSE_SECONDS))

    def templates_page(self, account: Id, *, cursor: Optional[str] = None) -> ApprovedTemplates:
        """Return a page of the templates that the provider approved or refused; see :meth:`templates`."""
        path = "/accounts/{}/templates"
        query = {"cursor": cursor}
        return ApprovedTemplates.from_wire(self._call("GET", path, account, query=query))

    def templates(self, account: Id) -> Iterator[ApprovedTemplate]:
        """Yield the templates that the provider approved or refused, page by page."""
        cursor = None
        while True:
            page = self.templates_page(account, cursor=cursor)
            for template in page.data:
                yield template
            if page.next is None:
                return
            cursor = page.next

    def ice_breakers(self, account: Id) -> IceBreakersOfAccount:
        """Return the ice breakers, questions offered to new customers, as the provider has them."""
        return IceBreakersOfAccount.from_wire(self._call("GET", "/accounts/{}/ice-breakers", account))

    def set_ice_breakers(
        self, account: Id, locales: Mapping[str, Sequence[Union[IceBreaker, Mapping[str, str]]]]
    ) -> IceBreakersOfAccount:
        """Replace the ice breakers of all locales; return them as the provider has them."""
        path, body = "/accounts/{}/ice-breakers", {"locales": locales}
        return IceBreakersOfAccount.from_wire(self._call("PUT", path, account, body=body))

    def delete_ice_breakers(self, account: Id) -> None:
        """Remove the ice breakers of all locales."""
        self._call("DELETE", "/accounts/{}/ice-breakers", account)

    def menu(self, account: Id) -> MenuOfAccount:
        """Return the menu, as the provider has it."""
        return MenuOfAccount.from_wire(self._call("GET", "/accounts/{}/menu", account))

    def set_menu(
        self, account: Id, locales: Mapping[str, Sequence[Union[MenuItem, Mapping[str, str]]]]
    ) -> MenuOfAccount:
        """Replace the menu of all locales; return it as the provider has it."""
        path, body = "/accounts/{}/menu", {"locales": locales}
        return MenuOfAccount.from_wire(self._call("PUT", path, account, body=body))

    def delete_menu(self, account: Id) -> None:
        """Remove the menu of all locales."""
        self._call("DELETE", "/accounts/{}/menu", account)

    def automation(self, account: Id) -> AccountAutomation:
        """Return the automation settings of the account."""
        return AccountAutomation.from_wire(self._call("GET", "/accounts/{}/automation", account))

    def set_automation(
        self,
        account: Id,
        *,
        greeting: Mapping[str, Any],
        away: Mapping[str, Any],
        routing: Mapping[str, Any],
        version: Optional[int] = None,
    ) -> AccountAutomation:
        """Replace the automation settings of the account, and return them.

        :param greeting: ``on``, ``text``, ``silenceDays`` and ``after``, what a customer has to send for it.
        :param away: ``on`` and ``text``.
        :param routing: ``on``, ``team``, ``toPerson`` and ``toLast``.
        :param version: that of what you read; if it is another by now, nothing is saved.
        """
        path = "/accounts/{}/automation"
        body = {"greeting": greeting, "away": away, "routing": routing, "version": version}
        return AccountAutomation.from_wire(self._call("PUT", path, account, body=body))


class InstagramCalls(_Calls):
    """Instagram by name; :class:`AccountCalls` does the same for every channel."""

    def set_ice_breakers(
        self, *, channel_id: str, ice_breakers: Sequence[Union[IceBreaker, Mapping[str, str]]]
    ) -> IceBreakersOfAccount:
        """Replace the ice breakers of all languages with these.

        :param ice_breakers: up to four of ``{"question": ..., "payload": ...}``.
        """
        path, body = "/accounts/{}/ice-breakers", {"locales": {"default": ice_breakers}}
        return IceBreakersOfAccount.from_wire(self._call("PUT", path, channel_id, body=body))


class LabelCalls(_Calls):
    """Labels of conversations."""

    def list(self) -> Sequence[LabelRef]:
        """Return the labels of the workspace, by name."""
        return Labels.from_wire(self._call("GET", "/labels")).data

    def get(self, label_id: int) -> LabelRef:
        """Return a label."""
        return LabelRef.from_wire(self._call("GET", "/labels/{}", label_id))

    def create(self, name: str, *, tone: Tone = "blue") -> LabelRef:
        """Add a label.

        :param tone: ``grey``, ``blue``, ``teal``, ``green``, ``amber``, ``orange``, ``red``, ``pink`` or
            ``violet``.
        """
        body = {"name": name, "tone": tone}
        return LabelRef.from_wire(self._call("POST", "/labels", body=body))

    def change(
        self,
        label_id: int,
        *,
        name: Union[str, Unset] = UNSET,
        tone: Union[Tone, Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> LabelRef:
        """Rename or recolour a label; omitted fields stay unchanged.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked = {"name": name, "tone": tone}
        body = {one: value for one, value in asked.items() if value is not UNSET}
        return LabelRef.from_wire(self._call("PATCH", "/labels/{}", label_id, body=body, if_match=if_match))

    def delete(self, label_id: int, *, if_match: Optional[str] = None) -> None:
        """Delete a label and remove it from every conversation.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/labels/{}", label_id, if_match=if_match)

    def merge(self, label_id: int, *, into: int) -> LabelRef:
        """Merge a label into another one: relabel its conversations, delete it and return the other."""
        path, body = "/labels/{}/merge", {"into": into}
        return LabelRef.from_wire(self._call("POST", path, label_id, body=body))


class TeamCalls(_Calls):
    """Teams: members to whom conversations can be assigned together."""

    def list(self) -> Sequence[Team]:
        """Return the teams of the workspace, by name."""
        return Teams.from_wire(self._call("GET", "/teams")).data

    def get(self, team_id: int) -> Team:
        """Return a team with its members and accounts."""
        return Team.from_wire(self._call("GET", "/teams/{}", team_id))

    def create(
        self, name: str, *, members: Optional[Mapping[int, bool]] = None, accounts: Sequence[int] = ()
    ) -> Team:
        """Add a team.

        :param members: ids of people, each with whether they lead it.
        :param accounts: ids of the accounts it looks after.
        """
        body: dict[str, Any] = {"name": name, "members": _members(members or {}), "accounts": list(accounts)}
        return Team.from_wire(self._call("POST", "/teams", body=body))

    def change(
        self,
        team_id: int,
        *,
        name: Union[str, Unset] = UNSET,
        members: Union[Mapping[int, bool], Unset] = UNSET,
        accounts: Union[Sequence[int], Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> Team:
        """Change a team's name, members or accounts; omitted fields stay unchanged.

        :param members: ids of all people in it, each with whether they lead it.
        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        body: dict[str, Any] = {}
        if not isinstance(name, Unset):
            body["name"] = name
        if not isinstance(members, Unset):
            body["members"] = _members(members)
        if not isinstance(accounts, Unset):
            body["accounts"] = list(accounts)
        return Team.from_wire(self._call("PATCH", "/teams/{}", team_id, body=body, if_match=if_match))

    def delete(self, team_id: int, *, if_match: Optional[str] = None) -> None:
        """Delete a team; its conversations then have none.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/teams/{}", team_id, if_match=if_match)


class HoursCalls(_Calls):
    """Working hours of the workspace and its teams."""

    def get(self) -> BusinessHours:
        """Return the working hours of the workspace."""
        return BusinessHours.from_wire(self._call("GET", "/hours"))

    def set(
        self,
        week: Optional[Mapping[str, Sequence[tuple[str, str]]]],
        *,
        timezone: str = "UTC",
        exceptions: Sequence[Mapping[str, Any]] = (),
        version: Optional[int] = None,
    ) -> BusinessHours:
        """Replace the working hours of the workspace, and return them.

        :param week: by ``monday`` to ``sunday``, each from when to when it is open: ``("09:00", "17:30")``;
            a day left out is closed. None: none of its own.
        :param exceptions: each with ``first``, ``last``, ``hours`` as above, ``name`` and ``yearly``.
        :param version: that of the hours you read; if they are others by now, nothing is saved.
        """
        body = _hours(week, timezone, exceptions, version)
        return BusinessHours.from_wire(self._call("PUT", "/hours", body=body))

    def get_team(self, team_id: int) -> BusinessHours:
        """Return the working hours of a team."""
        return BusinessHours.from_wire(self._call("GET", "/teams/{}/hours", team_id))

    def set_team(
        self,
        team_id: int,
        week: Optional[Mapping[str, Sequence[tuple[str, str]]]],
        *,
        timezone: str = "UTC",
        exceptions: Sequence[Mapping[str, Any]] = (),
        version: Optional[int] = None,
    ) -> BusinessHours:
        """Replace the working hours of a team, as :meth:`set`, and return them."""
        body = _hours(week, timezone, exceptions, version)
        return BusinessHours.from_wire(self._call("PUT", "/teams/{}/hours", team_id, body=body))


_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _hours(
    week: Optional[Mapping[str, Sequence[tuple[str, str]]]],
    timezone: str,
    exceptions: Sequence[Mapping[str, Any]],
    version: Optional[int],
) -> dict[str, Any]:
    return {
        "week": None if week is None else {day: _open(week.get(day, ())) for day in _WEEK},
        "exceptions": [{**one, "hours": _open(one.get("hours", ()))} for one in exceptions],
        "timezone": timezone,
        "version": version,
    }


def _open(hours: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"starts": starts, "ends": ends} for starts, ends in hours]


def _members(people: Mapping[int, bool]) -> list[dict[str, Any]]:
    return [{"id": id_, "lead": lead} for id_, lead in people.items()]


class RuleCalls(_Calls):
    """Rules: a trigger, conditions, and the actions to run."""

    def list(self) -> Sequence[Rule]:
        """Return the rules of the workspace, in their order of evaluation."""
        return Rules.from_wire(self._call("GET", "/rules")).data

    def get(self, rule_id: int) -> Rule:
        """Return a rule."""
        return Rule.from_wire(self._call("GET", "/rules/{}", rule_id))

    def create(self, name: str, body: RuleBody, *, state: RuleState = "shadow") -> Rule:
        """Add a rule after the others.

        :param body: ``when``, ``conditions``, ``actions``: see the guide of the API.
        :param state: ``draft``, ``shadow``, ``live`` or ``off``; in shadow it notes what it would have done.
        """
        asked = {"name": name, "body": body, "state": state}
        return Rule.from_wire(self._call("POST", "/rules", body=asked))

    def replace(
        self,
        rule_id: int,
        name: str,
        body: RuleBody,
        *,
        state: Union[RuleState, Unset] = UNSET,
        version: Optional[int] = None,
    ) -> Rule:
        """Replace a rule.

        :param state: left out: it stays.
        :param version: that of the rule you read; if it is another by now, nothing is saved.
        """
        asked: dict[str, Any] = {"name": name, "body": body, "version": version}
        if not isinstance(state, Unset):
            asked["state"] = state
        return Rule.from_wire(self._call("PUT", "/rules/{}", rule_id, body=asked, repeatable=version is None))

    def change(self, rule_id: int, *, state: RuleState) -> Rule:
        """Change the state of a rule."""
        return Rule.from_wire(self._call("PATCH", "/rules/{}", rule_id, body={"state": state}))

    def move(self, rule_id: int, places: int) -> Sequence[Rule]:
        """Move a rule; return all of them in their new order.

        :param places: how far; below zero: up, so that it is asked earlier.
        """
        path, body = "/rules/{}/move", {"places": places}
        return Rules.from_wire(self._call("POST", path, rule_id, body=body)).data

    def delete(self, rule_id: int) -> None:
        """Delete a rule. Its past actions stay."""
        self._call("DELETE", "/rules/{}", rule_id)

    def page(
        self,
        rule_id: int,
        *,
        matched: Optional[bool] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> RuleRuns:
        """Return a page of the runs of a rule, newest first; see :meth:`runs`."""
        path = "/rules/{}/runs"
        query = {"matched": matched, "limit": limit, "cursor": cursor}
        return RuleRuns.from_wire(self._call("GET", path, rule_id, query=query))

    def runs(self, rule_id: int, *, matched: Optional[bool] = None) -> Iterator[RuleRun]:
        """Yield the runs of a rule that matched at least its first condition, newest first.

        :param matched: only those in which all conditions held, or in which not.
        """
        cursor = None
        while True:
            page = self.page(rule_id, matched=matched, limit=self._page_size, cursor=cursor)
            for run in page.data:
                yield run
            cursor = page.next
            if cursor is None:
                return

    def people_page(
        self,
        rule_id: int,
        *,
        got: Optional[CampaignResult] = None,
        search: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> CampaignPeople:
        """Return a page of the participants of a campaign; see :meth:`people`."""
        path = "/campaigns/{}/people"
        query = {"got": got, "search": search, "limit": limit, "cursor": cursor}
        return CampaignPeople.from_wire(self._call("GET", path, rule_id, query=query))

    def people(
        self, rule_id: int, *, got: Optional[CampaignResult] = None, search: Optional[str] = None
    ) -> Iterator[CampaignPerson]:
        """Yield the participants of a campaign with what they received, the latest first.

        :param got: only those who got that: ``got``, ``had``, ``waits`` or ``refused``.
        :param search: a part of their name or username.
        """
        cursor = None
        while True:
            page = self.people_page(rule_id, got=got, search=search, limit=self._page_size, cursor=cursor)
            for person in page.data:
                yield person
            cursor = page.next
            if cursor is None:
                return


class SequenceCalls(_Calls):
    """Sequences: steps that follow a customer's message, and the customers in them."""

    def list(self) -> Sequence[ListedSequence]:
        """Return the sequences of the workspace, in their order, without their definitions."""
        return Sequences.from_wire(self._call("GET", "/sequences")).data

    def get(self, sequence_id: int) -> SequenceDetail:
        """Return a sequence with its newest version, and what keeps that from being published."""
        return SequenceDetail.from_wire(self._call("GET", "/sequences/{}", sequence_id))

    def create(self, name: str, body: SequenceBody) -> SequenceDetail:
        """Add a draft after the others.

        :param body: ``starts``, ``steps`` and so on: see the guide of the API.
        """
        asked = {"name": name, "body": body}
        return SequenceDetail.from_wire(self._call("POST", "/sequences", body=asked))

    def replace(
        self,
        sequence_id: int,
        name: str,
        body: SequenceBody,
        *,
        changed_at: Optional[datetime] = None,
    ) -> SequenceDetail:
        """Replace the name and the draft of a sequence. A published version is kept.

        :param changed_at: that of the sequence you read; if somebody saved since, nothing is saved.
        """
        asked = {"name": name, "body": body, "changedAt": changed_at}
        return SequenceDetail.from_wire(
            self._call("PUT", "/sequences/{}", sequence_id, body=asked, repeatable=changed_at is None)
        )

    def publish(self, sequence_id: int) -> SequenceDetail:
        """Publish the newest version of a sequence, if it has no problems."""
        return SequenceDetail.from_wire(self._call("POST", "/sequences/{}/publish", sequence_id))

    def turn_off(self, sequence_id: int, *, end_runs: bool = False) -> SequenceDetail:
        """Let nothing start in a sequence any more.

        :param end_runs: whether the customers in it leave it, too, within moments.
        """
        body = {"endRuns": end_runs}
        return SequenceDetail.from_wire(self._call("POST", "/sequences/{}/off", sequence_id, body=body))

    def move(self, sequence_id: int, places: int) -> Sequence[ListedSequence]:
        """Move a sequence; return all of them in their new order.

        :param places: how far; below zero: up, so that it is chosen earlier.
        """
        path, body = "/sequences/{}/move", {"places": places}
        return Sequences.from_wire(self._call("POST", path, sequence_id, body=body)).data

    def replace_secret(self, sequence_id: int) -> SequenceSecret:
        """Replace the secret that signs its steps that call a webhook, and return it."""
        return SequenceSecret.from_wire(self._call("POST", "/sequences/{}/secret", sequence_id))

    def delete(self, sequence_id: int) -> None:
        """Delete a sequence with all versions and runs. Nobody must be in it."""
        self._call("DELETE", "/sequences/{}", sequence_id)

    def versions_page(
        self, sequence_id: int, *, limit: Optional[int] = None, cursor: Optional[str] = None
    ) -> SequenceVersions:
        """Return a page of the versions of a sequence, newest first; see :meth:`versions`."""
        path = "/sequences/{}/versions"
        query = {"limit": limit, "cursor": cursor}
        return SequenceVersions.from_wire(self._call("GET", path, sequence_id, query=query))

    def versions(self, sequence_id: int) -> Iterator[ListedSequenceVersion]:
        """Yield the versions of a sequence, newest first, without their definitions."""
        cursor = None
        while True:
            page = self.versions_page(sequence_id, limit=self._page_size, cursor=cursor)
            for version in page.data:
                yield version
            cursor = page.next
            if cursor is None:
                return

    def version(self, sequence_id: int, number: int) -> SequenceVersion:
        """Return a version of a sequence with its definition."""
        path = "/sequences/{}/versions/{}"
        return SequenceVersion.from_wire(self._call("GET", path, sequence_id, number))

    def page(
        self,
        sequence_id: int,
        *,
        state: Optional[SequenceRunFilter] = None,
        step: Optional[str] = None,
        reached: Optional[str] = None,
        ended: Optional[str] = None,
        version: Optional[int] = None,
        started_by: Optional[SequenceStart] = None,
        started_from: Optional[datetime] = None,
        started_before: Optional[datetime] = None,
        conversation_id: Optional[int] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> SequenceRuns:
        """Return a page of the runs of a sequence, newest first; see :meth:`runs`."""
        query = {
            "state": state,
            "step": step,
            "reached": reached,
            "ended": ended,
            "version": version,
            "startedBy": started_by,
            "startedFrom": started_from,
            "startedBefore": started_before,
            "conversationId": conversation_id,
            "limit": limit,
            "cursor": cursor,
        }
        path = "/sequences/{}/runs"
        return SequenceRuns.from_wire(self._call("GET", path, sequence_id, query=query))

    def runs(
        self,
        sequence_id: int,
        *,
        state: Optional[SequenceRunFilter] = None,
        step: Optional[str] = None,
        reached: Optional[str] = None,
        ended: Optional[str] = None,
        version: Optional[int] = None,
        started_by: Optional[SequenceStart] = None,
        started_from: Optional[datetime] = None,
        started_before: Optional[datetime] = None,
        conversation_id: Optional[int] = None,
    ) -> Iterator[SequenceRun]:
        """Yield the runs of a sequence, newest first.

        :param state: ``active`` or ``ended``.
        :param step: only those at this step, or that ended at it; ``reached``: that entered it.
        :param ended: only those that ended with this reason, or with this outcome and no reason.
        :param started_from: only those that started then or later; ``started_before``: before.
        """
        cursor = None
        while True:
            page = self.page(
                sequence_id,
                state=state,
                step=step,
                reached=reached,
                ended=ended,
                version=version,
                started_by=started_by,
                started_from=started_from,
                started_before=started_before,
                conversation_id=conversation_id,
                limit=self._page_size,
                cursor=cursor,
            )
            for run in page.data:
                yield run
            cursor = page.next
            if cursor is None:
                return

    def numbers(
        self,
        sequence_id: int,
        *,
        version: Optional[int] = None,
        from_: Optional[str] = None,
        to: Optional[str] = None,
        zone: Optional[str] = None,
    ) -> SequenceNumbers:
        """Return how many customers reached each step, of those who started in a range of days.

        :param version: by default the live one.
        :param from_: the first day, ``2026-11-01``; ``to``: the last.
        :param zone: the time zone the days are of, ``Europe/Berlin``.
        """
        query = {"version": version, "from": from_, "to": to, "zone": zone}
        path = "/sequences/{}/numbers"
        return SequenceNumbers.from_wire(self._call("GET", path, sequence_id, query=query))

    def run(self, sequence_id: int, run_id: int) -> SequenceRunDetail:
        """Return a run with the steps it entered and the answers it keeps."""
        path = "/sequences/{}/runs/{}"
        return SequenceRunDetail.from_wire(self._call("GET", path, sequence_id, run_id))

    def start(self, sequence_id: int, conversation_id: int) -> SequenceRunDetail:
        """Start a live sequence in a conversation; its ``starts`` must allow programs to."""
        path, body = "/sequences/{}/runs", {"conversationId": conversation_id}
        return SequenceRunDetail.from_wire(self._call("POST", path, sequence_id, body=body))

    def end(self, sequence_id: int, run_id: int) -> SequenceRunDetail:
        """Take a customer out of a sequence."""
        path = "/sequences/{}/runs/{}/end"
        return SequenceRunDetail.from_wire(self._call("POST", path, sequence_id, run_id))


class AssistantCalls(_Calls):
    """Assistants: suggest answers to people, or answer automatically if an owner allows it."""

    def list(self) -> Sequence[Assistant]:
        """Return the assistants of the workspace, oldest first."""
        return Assistants.from_wire(self._call("GET", "/assistants")).data

    def get(self, assistant_id: int) -> Assistant:
        """Return an assistant with its instructions and its mode on each account."""
        return Assistant.from_wire(self._call("GET", "/assistants/{}", assistant_id))

    def create(self, name: str, *, idempotency_key: Optional[str] = None) -> Assistant:
        """Add an assistant, without any account yet.

        :param idempotency_key: names this call, so that a program that was stopped may call again.
        """
        return Assistant.from_wire(
            self._call("POST", "/assistants", body={"name": name}, idempotency_key=idempotency_key)
        )

    def replace(
        self, assistant_id: int, name: str, body: Mapping[str, Any], *, version: Optional[int] = None
    ) -> Assistant:
        """Replace an assistant's name and instructions.

        :param body: ``prompt``, ``phrases``, ``limits``, ``tools``; what is left out is as at first.
        :param version: that of the assistant you read; if it is another by now, nothing is saved.
        """
        asked = {"name": name, "body": body, "version": version}
        return Assistant.from_wire(
            self._call("PUT", "/assistants/{}", assistant_id, body=asked, repeatable=version is None)
        )

    def change(
        self,
        assistant_id: int,
        *,
        stopped: Union[bool, Unset] = UNSET,
        model_id: Union[int, Unset, None] = UNSET,
    ) -> Assistant:
        """Stop or resume an assistant, or change its language model.

        :param model_id: None: it asks none, and offers topics. What is left out stays.
        """
        asked: dict[str, Any] = {}
        if not isinstance(stopped, Unset):
            asked["stopped"] = stopped
        if not isinstance(model_id, Unset):
            asked["modelId"] = model_id
        return Assistant.from_wire(self._call("PATCH", "/assistants/{}", assistant_id, body=asked))

    def delete(self, assistant_id: int) -> None:
        """Delete an assistant and its knowledge. Messages it sent stay."""
        self._call("DELETE", "/assistants/{}", assistant_id)

    def versions(self, assistant_id: int) -> Sequence[AssistantVersion]:
        """Return the versions of an assistant, newest first."""
        return AssistantVersions.from_wire(self._call("GET", "/assistants/{}/versions", assistant_id)).data

    def set_mode(
        self,
        assistant_id: int,
        account: Union[int, str],
        mode: AssistantModeWord,
        *,
        answers_on: Union[Sequence[AssistantTrigger], Unset] = UNSET,
        needed: Union[int, Unset] = UNSET,
        typed_name: Optional[str] = None,
    ) -> Assistant:
        """Set the mode of an assistant on an account: ``off``, ``shadow``, ``suggest`` or ``answer``.

        :param account: its id, or the public one of its channel.
        :param answers_on: what a customer has to send for it; left out: as it is.
        :param needed: how many suggestions have to be taken before it may answer; left out: as it is.
        :param typed_name: the name of the account, to let it answer before it has earned that.
        """
        asked: dict[str, Any] = {"mode": mode, "typedName": typed_name}
        if not isinstance(answers_on, Unset):
            asked["answersOn"] = answers_on
        if not isinstance(needed, Unset):
            asked["needed"] = needed
        path = "/assistants/{}/accounts/{}"
        return Assistant.from_wire(self._call("PUT", path, assistant_id, account, body=asked))

    def figures(self, assistant_id: int, *, days: Optional[int] = None) -> AssistantFigures:
        """Return an assistant's figures per day, and its usage of the limits.

        :param days: how many, today counted; None: 30.
        """
        path = "/assistants/{}/figures"
        return AssistantFigures.from_wire(self._call("GET", path, assistant_id, query={"days": days}))

    def models(self) -> Sequence[LanguageModel]:
        """Return the language models that assistants can use."""
        return LanguageModels.from_wire(self._call("GET", "/language-models")).data

    def knowledge_page(
        self,
        assistant_id: int,
        *,
        search: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Knowledge:
        """Return a page of an assistant's knowledge; see :meth:`knowledge`."""
        path = "/assistants/{}/knowledge"
        query = {"search": search, "limit": limit, "cursor": cursor}
        return Knowledge.from_wire(self._call("GET", path, assistant_id, query=query))

    def knowledge(self, assistant_id: int, *, search: Optional[str] = None) -> Iterator[KnowledgeEntry]:
        """Yield an assistant's knowledge entries without their texts, oldest first.

        :param search: words of title, questions or origin.
        """
        cursor = None
        while True:
            page = self.knowledge_page(assistant_id, search=search, limit=self._page_size, cursor=cursor)
            for entry in page.data:
                yield entry
            cursor = page.next
            if cursor is None:
                return

    def add_knowledge(
        self,
        assistant_id: int,
        *,
        title: str = "",
        text: str = "",
        questions: Sequence[str] = (),
        url: str = "",
        idempotency_key: Optional[str] = None,
    ) -> KnowledgeEntry:
        """Add a text, or a page by its *url*, to an assistant's knowledge. Pages are read in the background.

        :param idempotency_key: names this call, so that a program that was stopped may call again.
        """
        path = "/assistants/{}/knowledge"
        body = {"title": title, "text": text, "questions": questions, "url": url}
        return KnowledgeEntry.from_wire(
            self._call("POST", path, assistant_id, body=body, idempotency_key=idempotency_key)
        )

    def get_knowledge(self, assistant_id: int, knowledge_id: int) -> KnowledgeEntry:
        """Return a knowledge entry with its text."""
        path = "/assistants/{}/knowledge/{}"
        return KnowledgeEntry.from_wire(self._call("GET", path, assistant_id, knowledge_id))

    def replace_knowledge(
        self,
        assistant_id: int,
        knowledge_id: int,
        *,
        title: str,
        text: str = "",
        questions: Sequence[str] = (),
    ) -> KnowledgeEntry:
        """Replace a knowledge entry. The text of a file or a page stays."""
        path = "/assistants/{}/knowledge/{}"
        body = {"title": title, "text": text, "questions": questions}
        return KnowledgeEntry.from_wire(self._call("PUT", path, assistant_id, knowledge_id, body=body))

    def check_knowledge(self, assistant_id: int, knowledge_id: int) -> KnowledgeEntry:
        """Confirm that a knowledge entry is still current; a page is read again."""
        path = "/assistants/{}/knowledge/{}/check"
        return KnowledgeEntry.from_wire(self._call("POST", path, assistant_id, knowledge_id))

    def delete_knowledge(self, assistant_id: int, knowledge_id: int) -> None:
        """Delete a knowledge entry."""
        self._call("DELETE", "/assistants/{}/knowledge/{}", assistant_id, knowledge_id)

    def add_knowledge_file(
        self, assistant_id: int, content: bytes, *, name: str, title: str = ""
    ) -> KnowledgeEntry:
        """Add a file to an assistant's knowledge: PDF, Markdown or plain text of at most 20 MB.

        Tried once only: a file may be read twice where the desk ends in between.

        :param name: what the file is called; its ending says how it is read.
        :param title: empty: the file's own, or its name.
        """
        path = "/assistants/{}/knowledge/files"
        sent = _file(content, name, title)
        answer = self._raw("POST", path, assistant_id, repeatable=False, **sent)
        return KnowledgeEntry.from_wire(answer.json())

    def replace_knowledge_file(
        self, assistant_id: int, knowledge_id: int, content: bytes, *, name: str, title: str = ""
    ) -> KnowledgeEntry:
        """Replace the file of a knowledge entry.

        :param name: what the file is called; its ending says how it is read.
        :param title: empty: the entry's stays.
        """
        path = "/assistants/{}/knowledge/{}/file"
        sent = _file(content, name, title)
        answer = self._raw("PUT", path, assistant_id, knowledge_id, **sent)
        return KnowledgeEntry.from_wire(answer.json())

    def play(
        self,
        assistant_id: int,
        question: str,
        *,
        before: Sequence[Mapping[str, str]] = (),
        account_id: Optional[int] = None,
    ) -> PlayedAnswer:
        """Ask an assistant as a customer would. Nothing is sent or stored; it costs as much as an answer.

        Tried once only, because each try is paid for.

        :param before: what was said before it: ``{"by": "customer", "text": ...}`` or ``"assistant"``.
        :param account_id: the account it is played on; None: none.
        """
        path = "/assistants/{}/playground"
        body = {"question": question, "before": before, "accountId": account_id}
        answer = self._call("POST", path, assistant_id, body=body, repeatable=False, wait=PLAY_SECONDS)
        return PlayedAnswer.from_wire(answer)

    def tools(self, assistant_id: int) -> Sequence[AssistantTool]:
        """Return the tools of an assistant that call other programs."""
        path = "/assistants/{}/tools"
        return AssistantTools.from_wire(self._call("GET", path, assistant_id)).data

    def get_tool(self, assistant_id: int, tool_id: int) -> AssistantTool:
        """Return a tool of an assistant. Its secret is never returned, only whether it has one."""
        path = "/assistants/{}/tools/{}"
        return AssistantTool.from_wire(self._call("GET", path, assistant_id, tool_id))

    def add_tool(
        self,
        assistant_id: int,
        *,
        name: str,
        title: str,
        about: str,
        url: str,
        effect: ToolEffect = "asks",
        parameters: Optional[Mapping[str, Any]] = None,
        header: str = "Authorization",
        secret: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> AssistantTool:
        """Add a tool to an assistant: another program at *url*.

        :param effect: ``reads``, ``reversible`` or ``asks``, which a person has to allow each time.
        :param parameters: the JSON schema of what a model fills in; None: nothing.
        :param secret: what is sent in *header*; None: nothing.
        :param idempotency_key: names this call, so that a program that was stopped may call again.
        """
        path = "/assistants/{}/tools"
        body = _tool(name, title, about, url, effect, parameters, header, secret)
        return AssistantTool.from_wire(
            self._call("POST", path, assistant_id, body=body, idempotency_key=idempotency_key)
        )

    def replace_tool(
        self,
        assistant_id: int,
        tool_id: int,
        *,
        name: str,
        title: str,
        about: str,
        url: str,
        effect: ToolEffect = "asks",
        parameters: Optional[Mapping[str, Any]] = None,
        header: str = "Authorization",
        secret: Union[str, Unset, None] = UNSET,
    ) -> AssistantTool:
        """Replace a tool of an assistant; see :meth:`add_tool`.

        :param secret: left out: the one it has stays, unless *url* has another host. None: it gets none.
        """
        path = "/assistants/{}/tools/{}"
        body = _tool(name, title, about, url, effect, parameters, header, secret)
        return AssistantTool.from_wire(self._call("PUT", path, assistant_id, tool_id, body=body))

    def try_tool(
        self, assistant_id: int, tool_id: int, arguments: Optional[Mapping[str, Any]] = None
    ) -> TriedTool:
        """Try a tool once, marked as a trial, and return its response."""
        path = "/assistants/{}/tools/{}/try"
        body = {"arguments": arguments or {}}
        return TriedTool.from_wire(
            self._call("POST", path, assistant_id, tool_id, body=body, repeatable=False)
        )

    def delete_tool(self, assistant_id: int, tool_id: int) -> None:
        """Remove a tool from an assistant."""
        self._call("DELETE", "/assistants/{}/tools/{}", assistant_id, tool_id)

    def cases_page(
        self, assistant_id: int, *, limit: Optional[int] = None, cursor: Optional[str] = None
    ) -> AssistantCases:
        """Return a page of an assistant's test cases; see :meth:`cases`."""
        path = "/assistants/{}/cases"
        query = {"limit": limit, "cursor": cursor}
        return AssistantCases.from_wire(self._call("GET", path, assistant_id, query=query))

    def cases(self, assistant_id: int) -> Iterator[AssistantCase]:
        """Yield an assistant's test cases with their results, oldest first."""
        cursor = None
        while True:
            page = self.cases_page(assistant_id, limit=self._page_size, cursor=cursor)
            for case in page.data:
                yield case
            cursor = page.next
            if cursor is None:
                return

    def get_case(self, assistant_id: int, case_id: int) -> AssistantCase:
        """Return a test case of an assistant."""
        path = "/assistants/{}/cases/{}"
        return AssistantCase.from_wire(self._call("GET", path, assistant_id, case_id))

    def add_case(
        self,
        assistant_id: int,
        question: str = "",
        *,
        says: Sequence[str] = (),
        never_says: Sequence[str] = (),
        hands_over: bool = False,
        turn_id: Optional[int] = None,
        idempotency_key: Optional[str] = None,
    ) -> AssistantCase:
        """Add a test case: a question, and a description of a good answer, or that a person should answer.

        :param turn_id: a turn that was wrong; without a *question* it is what the customer asked there.
        :param idempotency_key: names this call, so that a program that was stopped may call again.
        """
        path = "/assistants/{}/cases"
        body = {**_case(question, says, never_says, hands_over), "turnId": turn_id}
        return AssistantCase.from_wire(
            self._call("POST", path, assistant_id, body=body, idempotency_key=idempotency_key)
        )

    def replace_case(
        self,
        assistant_id: int,
        case_id: int,
        question: str,
        *,
        says: Sequence[str] = (),
        never_says: Sequence[str] = (),
        hands_over: bool = False,
    ) -> AssistantCase:
        """Replace a test case, which is then tried again."""
        path = "/assistants/{}/cases/{}"
        body = _case(question, says, never_says, hands_over)
        return AssistantCase.from_wire(self._call("PUT", path, assistant_id, case_id, body=body))

    def delete_case(self, assistant_id: int, case_id: int) -> None:
        """Delete a test case."""
        self._call("DELETE", "/assistants/{}/cases/{}", assistant_id, case_id)

    def try_cases(self, assistant_id: int, cases: Optional[Sequence[int]] = None) -> TriedCases:
        """Try test cases with the current version, for up to 20 seconds; ``left`` counts the others.

        :param cases: ids of these; None: those that it has not passed.
        """
        path = "/assistants/{}/cases/try"
        body = {} if cases is None else {"cases": cases}
        wait = PLAY_SECONDS + TRYING_SECONDS
        return TriedCases.from_wire(
            self._call("POST", path, assistant_id, body=body, repeatable=False, wait=wait)
        )

    def turns_page(
        self,
        assistant_id: int,
        *,
        show: Optional[TurnFilter] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> AssistantTurns:
        """Return a page of an assistant's turns; see :meth:`turns`."""
        path = "/assistants/{}/turns"
        query = {"show": show, "limit": limit, "cursor": cursor}
        return AssistantTurns.from_wire(self._call("GET", path, assistant_id, query=query))

    def turns(self, assistant_id: int, *, show: Optional[TurnFilter] = None) -> Iterator[AssistantTurn]:
        """Yield an assistant's responses to customers, newest first.

        :param show: ``taken``, ``handed_over``, ``shadow``, ``wrong`` or ``failed`` ones alone.
        """
        cursor = None
        while True:
            page = self.turns_page(assistant_id, show=show, limit=self._page_size, cursor=cursor)
            for turn in page.data:
                yield turn
            cursor = page.next
            if cursor is None:
                return

    def judge(self, assistant_id: int, turn_id: int, *, right: bool) -> AssistantTurn:
        """Rate a turn as right or wrong; right ones count towards permission to answer automatically."""
        path = "/assistants/{}/turns/{}"
        return AssistantTurn.from_wire(
            self._call("PATCH", path, assistant_id, turn_id, body={"right": right})
        )

    def suggestions(
        self, conversation_id: int, *, limit: Optional[int] = None, cursor: Optional[str] = None
    ) -> AssistantTurns:
        """Return a page of the turns of a conversation, newest first; at most one is ``ready``."""
        path = "/conversations/{}/turns"
        query = {"limit": limit, "cursor": cursor}
        return AssistantTurns.from_wire(self._call("GET", path, conversation_id, query=query))

    def take(self, conversation_id: int, turn_id: int, *, idempotency_key: Optional[str] = None) -> Sent:
        """Send a suggestion unchanged.

        :param idempotency_key: names this call, so that a program that was stopped may call again.
        """
        path = "/conversations/{}/turns/{}/send"
        return Sent.from_wire(
            self._call("POST", path, conversation_id, turn_id, idempotency_key=idempotency_key)
        )

    def dismiss(self, conversation_id: int, turn_id: int) -> AssistantTurn:
        """Dismiss a suggestion, or stop the assistant while it is thinking."""
        path = "/conversations/{}/turns/{}/dismiss"
        return AssistantTurn.from_wire(self._call("POST", path, conversation_id, turn_id))

    def tool_calls(self, conversation_id: int, *, waiting: bool = False) -> Sequence[AssistantToolCall]:
        """Return the tool calls of a conversation, newest first.

        :param waiting: only those that wait for a person's decision.
        """
        query = {"waiting": _yes_or_no(waiting or None)}
        path = "/conversations/{}/tool-calls"
        return AssistantToolCalls.from_wire(self._call("GET", path, conversation_id, query=query)).data

    def approve(self, conversation_id: int, call_id: int, *, member_id: int) -> AssistantToolCall:
        """Run a tool call that a person approved, and return its result. The key needs ``approve``.

        :param member_id: the id of the person who decided.
        """
        path, body = "/conversations/{}/tool-calls/{}/approve", {"memberId": member_id}
        return AssistantToolCall.from_wire(self._call("POST", path, conversation_id, call_id, body=body))

    def refuse(self, conversation_id: int, call_id: int) -> AssistantToolCall:
        """Refuse a tool call that waits for a decision."""
        path = "/conversations/{}/tool-calls/{}/refuse"
        return AssistantToolCall.from_wire(self._call("POST", path, conversation_id, call_id))

    def past_answers(self, assistant_id: int) -> Sequence[PastAnswer]:
        """Return what the team answered repeatedly, the most frequent first, as suggested entries."""
        path = "/assistants/{}/past-answers"
        return PastAnswers.from_wire(self._call("GET", path, assistant_id)).data

    def dismiss_past_answer(self, assistant_id: int, text: str) -> DismissedPastAnswer:
        """Suggest an answer, as it was listed, and similar ones no more."""
        path, body = "/assistants/{}/past-answers/dismiss", {"text": text}
        return DismissedPastAnswer.from_wire(self._call("POST", path, assistant_id, body=body))

    def restore_past_answer(self, assistant_id: int, dismissed_id: int) -> None:
        """Suggest a dismissed answer again."""
        path = "/assistants/{}/past-answers/dismissed/{}"
        self._call("DELETE", path, assistant_id, dismissed_id)


class CannedReplyCalls(_Calls):
    """Canned replies, shared and of teams."""

    def list(self) -> Sequence[CannedReply]:
        """Return the canned replies, most used first."""
        return CannedReplies.from_wire(self._call("GET", "/canned-replies")).data

    def get(self, canned_id: int) -> CannedReply:
        """Return a canned reply."""
        return CannedReply.from_wire(self._call("GET", "/canned-replies/{}", canned_id))

    def create(
        self,
        shortcut: str,
        title: str,
        texts: Mapping[str, str],
        *,
        team: Optional[int] = None,
        uploads: Sequence[str] = (),
    ) -> CannedReply:
        """Add a canned reply.

        :param texts: by language, ``default`` for whoever has none of them.
        :param team: the id of the team whose it is; None: everybody's.
        :param uploads: ids of uploaded files to go out with it.
        """
        body = {"shortcut": shortcut, "title": title, "texts": texts, "team": team, "uploads": list(uploads)}
        return CannedReply.from_wire(self._call("POST", "/canned-replies", body=body))

    def change(
        self,
        canned_id: int,
        *,
        shortcut: Union[str, Unset] = UNSET,
        title: Union[str, Unset] = UNSET,
        texts: Union[Mapping[str, str], Unset] = UNSET,
        team: Union[int, Unset, None] = UNSET,
        keep_files: Union[Sequence[int], Unset] = UNSET,
        uploads: Sequence[str] = (),
        if_match: Optional[str] = None,
    ) -> CannedReply:
        """Change a canned reply; omitted fields stay unchanged.

        :param keep_files: ids of its files that stay.
        :param uploads: ids of uploaded files to be added; with some it is tried once only.
        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked = {"shortcut": shortcut, "title": title, "texts": texts, "team": team, "keepFiles": keep_files}
        body: dict[str, Any] = {name: value for name, value in asked.items() if value is not UNSET}
        body["uploads"] = list(uploads)
        path = "/canned-replies/{}"
        return CannedReply.from_wire(
            self._call("PATCH", path, canned_id, body=body, repeatable=not uploads, if_match=if_match)
        )

    def delete(self, canned_id: int, *, if_match: Optional[str] = None) -> None:
        """Delete a canned reply with its files.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/canned-replies/{}", canned_id, if_match=if_match)


class MacroCalls(_Calls):
    """Macros: several actions on a conversation at once, shared by everyone."""

    def list(self) -> Sequence[Macro]:
        """Return the macros, most used first."""
        return Macros.from_wire(self._call("GET", "/macros")).data

    def run(
        self, conversation_id: int, macro_id: int, *, idempotency_key: Optional[str] = None
    ) -> Sequence[Message]:
        """Run all actions of a macro or none; return the messages it sent."""
        path = "/conversations/{}/macros/{}"
        done = self._call("POST", path, conversation_id, macro_id, idempotency_key=idempotency_key)
        return Sent.from_wire(done).data


class ViewCalls(_Calls):
    """Saved views: filters and searches shared with the whole workspace."""

    def list(self) -> Sequence[View]:
        """Return the shared views, in their order."""
        return Views.from_wire(self._call("GET", "/views")).data

    def get(self, view_id: int) -> View:
        """Return a shared view."""
        return View.from_wire(self._call("GET", "/views/{}", view_id))

    def create(
        self,
        name: str,
        filter: Union[Mapping[str, Any], Unset] = UNSET,
        *,
        search: Union[str, Unset] = UNSET,
    ) -> View:
        """Save a view.

        :param filter: in the API's names: ``{"status": "open", "labels": "3"}``.
        :param search: instead of a filter: what the search page would find.
        """
        asked: dict[str, Any] = {"name": name, "filter": filter, "search": search}
        body = {one: value for one, value in asked.items() if value is not UNSET}
        return View.from_wire(self._call("POST", "/views", body=body))

    def change(
        self,
        view_id: int,
        *,
        name: Union[str, Unset] = UNSET,
        filter: Union[Mapping[str, Any], Unset] = UNSET,
        search: Union[str, Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> View:
        """Rename a view or change its filter; omitted fields stay unchanged.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked: dict[str, Any] = {"name": name, "filter": filter, "search": search}
        body = {one: value for one, value in asked.items() if value is not UNSET}
        return View.from_wire(self._call("PATCH", "/views/{}", view_id, body=body, if_match=if_match))

    def delete(self, view_id: int, *, if_match: Optional[str] = None) -> None:
        """Delete a view; the conversations it shows stay.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/views/{}", view_id, if_match=if_match)


class MemberCalls(_Calls):
    """Members of the workspace."""

    def list(self) -> Sequence[Member]:
        """Return everyone to whom a conversation can be assigned."""
        return Members.from_wire(self._call("GET", "/members")).data

    def set_duty(self, member_id: int, *, on: bool) -> Member:
        """Put a person on duty, so that conversations go to them, or take them off."""
        return Member.from_wire(self._call("PUT", "/members/{}/duty", member_id, body={"on": on}))


class FileCalls(_Calls):
    """Files to send, and received files."""

    def upload(
        self, content: bytes, *, name: str = "", content_type: str = "application/octet-stream"
    ) -> Upload:
        """Upload a file, to be named in a message within a day: ``{"image": {"upload": upload.id}}``."""
        form, kind = _wire.form_of(name or "file", content, content_type)
        headers = {"Content-Type": kind}
        answer = self._raw("POST", "/uploads", content=form, headers=headers)
        return Upload.from_wire(answer.json())

    def uploaded(self, upload_id: str) -> Upload:
        """Return an uploaded file that wasn't sent yet."""
        return Upload.from_wire(self._call("GET", "/uploads/{}", upload_id))

    def get(self, attachment_id: int) -> File:
        """Return a file of a message, as bytes."""
        answer = self._raw("GET", "/attachments/{}", attachment_id)
        return File(answer.body, answer.headers.get("content-type", ""))


class EndpointCalls(_Calls):
    """Webhook endpoints and their deliveries."""

    def list(self) -> Sequence[Endpoint]:
        """Return every endpoint of the workspace."""
        return Endpoints.from_wire(self._call("GET", "/endpoints")).data

    def create(
        self,
        url: str,
        events: Sequence[EventChoice],
        *,
        accounts: Sequence[int] = (),
        labels: Sequence[int] = (),
        both: bool = False,
        ordered: bool = True,
    ) -> WithSecret:
        """Add an endpoint at *url* for *events*; return it with its secret, which is not shown again.

        :param events: names; ``message.*`` stands for all that begin so, ``*`` for all there are. One that
            this client does not know is given as ``OtherEvent("email.waved")``.
        :param accounts: hear of these alone; empty: of all.
        :param labels: of conversations, hear of those alone that have one of these; empty: of all.
        :param both: get the desk's own event too where a channel has one of its own for the same.
        :param ordered: let an event wait until the earlier ones of its conversation got through.
        """
        body: dict[str, Any] = {"url": url, "events": events, "accounts": accounts, "both": both}
        body.update(ordered=ordered, labels=list(labels))
        return WithSecret.from_wire(self._call("POST", "/endpoints", body=body))

    def get(self, endpoint_id: int) -> Endpoint:
        """Return an endpoint with its state."""
        return Endpoint.from_wire(self._call("GET", "/endpoints/{}", endpoint_id))

    def change(
        self,
        endpoint_id: int,
        *,
        url: Union[str, Unset] = UNSET,
        events: Union[Sequence[EventChoice], Unset] = UNSET,
        accounts: Union[Sequence[int], Unset] = UNSET,
        labels: Union[Sequence[int], Unset] = UNSET,
        both: Union[bool, Unset] = UNSET,
        ordered: Union[bool, Unset] = UNSET,
        state: Union[EndpointState, Unset] = UNSET,
        if_match: Optional[str] = None,
    ) -> Endpoint:
        """Change, pause or resume an endpoint; omitted fields stay unchanged.

        :param state: ``active`` or ``paused``.
        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        asked = {"url": url, "events": events, "accounts": accounts, "both": both}
        asked.update(ordered=ordered, state=state, labels=labels)
        body = {name: value for name, value in asked.items() if value is not UNSET}
        return Endpoint.from_wire(
            self._call("PATCH", "/endpoints/{}", endpoint_id, body=body, if_match=if_match)
        )

    def delete(self, endpoint_id: int, *, if_match: Optional[str] = None) -> None:
        """Delete an endpoint.

        :param if_match: the ``etag`` that was read; if it was changed since, it is a PreconditionFailedError.
        """
        self._call("DELETE", "/endpoints/{}", endpoint_id, if_match=if_match)

    def rotate(self, endpoint_id: int) -> WithSecret:
        """Replace an endpoint's secret. For a day, both secrets sign."""
        path = "/endpoints/{}/rotate"
        return WithSecret.from_wire(self._call("POST", path, endpoint_id))

    def test(self, endpoint_id: int) -> Delivery:
        """Send a test to an endpoint, and return the delivery."""
        path = "/endpoints/{}/test"
        return Delivery.from_wire(self._call("POST", path, endpoint_id))

    def page(
        self,
        endpoint_id: int,
        *,
        state: Optional[DeliveryFilter] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Deliveries:
        """Return a page of the deliveries of the last 30 days, newest first; see :meth:`deliveries`."""
        query = {"state": state, "limit": limit, "cursor": cursor}
        path = "/endpoints/{}/deliveries"
        return Deliveries.from_wire(self._call("GET", path, endpoint_id, query=query))

    def deliveries(self, endpoint_id: int, *, state: Optional[DeliveryFilter] = None) -> Iterator[Delivery]:
        """Yield the deliveries to an endpoint, newest first.

        :param state: ``failed``, ``waiting`` or ``delivered``.
        """
        cursor = None
        while True:
            page = self.page(endpoint_id, state=state, limit=self._page_size, cursor=cursor)
            for delivery in page.data:
                yield delivery
            cursor = page.next
            if cursor is None:
                return

    def delivery(self, endpoint_id: int, delivery_id: int) -> DeliveryWithBody:
        """Return a delivery with its body."""
        path = "/endpoints/{}/deliveries/{}"
        return DeliveryWithBody.from_wire(self._call("GET", path, endpoint_id, delivery_id))

    def replay(
        self,
        endpoint_id: int,
        *,
        deliveries: Union[Sequence[int], Unset] = UNSET,
        failed: Union[bool, Unset] = UNSET,
        since: Union[str, Unset] = UNSET,
    ) -> Replayed:
        """Resend some *deliveries*, all that *failed*, or everything *since* a time."""
        asked = {"deliveries": deliveries, "failed": failed, "since": since}
        body = {name: value for name, value in asked.items() if value is not UNSET}
        path = "/endpoints/{}/replay"
        return Replayed.from_wire(self._call("POST", path, endpoint_id, body=body))


class AnalyticsCalls(_Calls):
    """Reports: volumes and response times."""

    def get(
        self,
        *,
        from_: Optional[str] = None,
        to: Optional[str] = None,
        zone: Optional[str] = None,
        account: Optional[int] = None,
        agent: Optional[int] = None,
        team: Optional[int] = None,
        by: Optional[AnalyticsStep] = None,
        business_hours: bool = False,
    ) -> Analytics:
        """Return the figures of a range of days.

        :param from_: the first day, ``2026-11-01``; ``to``: the last.
        :param zone: the time zone the days are of, ``Europe/Berlin``.
        :param team: the id of a team: only what happened while it had the conversation.
        :param by: ``day`` or ``hour``.
        :param business_hours: whether times count the hours of each conversation's team alone.
        """
        query: dict[str, Any] = {
            **{"from": from_, "to": to, "zone": zone, "account": account, "agent": agent, "by": by},
            "team": team,
            "businessHours": True if business_hours else None,
        }
        return Analytics.from_wire(self._call("GET", "/analytics", query=query))


class SearchCalls(_Calls):
    """Search messages and contacts."""

    def page(self, q: str, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> SearchResults:
        """Return a page of messages that match *q*, newest first; see :meth:`list`."""
        query = {"q": q, "limit": limit, "cursor": cursor}
        return SearchResults.from_wire(self._call("GET", "/search", query=query))

    def list(self, q: str) -> Iterator[SearchHit]:
        """Yield every message that matches *q*, newest first, however long that takes.

        :param q: words, ``"phrases"``, beginnings with a star, and filters such as ``is:open``.
        """
        cursor = None
        while True:
            page = self.page(q, limit=self._page_size, cursor=cursor)
            for hit in page.data:
                yield hit
            cursor = page.next
            if cursor is None:
                return


class EventCalls(_Calls):
    """Events for programs without a public address, as used by ``lobby-client listen``."""

    def page(
        self,
        *,
        after: Optional[str] = None,
        limit: Optional[int] = None,
        wait: Optional[int] = None,
        events: Sequence[EventChoice] = (),
        account: Optional[int] = None,
    ) -> EventPage:
        """Return the events after a position; without one, those from now on.

        :param after: ``next`` of the page before.
        :param limit: how many at most, up to 200.
        :param wait: seconds to wait for something to happen, up to 25.
        :param events: only these; ``message.*`` stands for all that begin so. Empty: all. A name that this
            client does not know is given as ``OtherEvent("email.waved")``.
        :param account: only those of the account with this id.
        """
        query = {"cursor": after, "limit": limit, "wait": wait}
        query.update(events=",".join(events) or None, account=account)
        return EventPage.from_wire(self._call("GET", "/events", query=query, wait=wait or 0))

    def pages(
        self,
        *,
        after: Optional[str] = None,
        events: Sequence[EventChoice] = (),
        account: Optional[int] = None,
    ) -> Iterator[EventPage]:
        """Yield pages of events as they happen, forever; ``next`` is the position after each."""
        while True:
            page = self.page(after=after, wait=25, events=events, account=account)
            after = page.next
            yield page

    def listen(
        self,
        handler: Handler,
        *,
        position: Optional[Position] = None,
        save: Optional[Callable[[Position], None]] = None,
        events: Sequence[EventChoice] = (),
        account: Optional[int] = None,
        continue_others: bool = False,
        on_error: Optional[OnError] = None,
        on_unreachable: Optional[Callable[[LobbyError, float], None]] = None,
    ) -> None:
        """Give each event to *handler*, one after the other and in their order, without end.

        An event counts as handled when the handler returns; one for which it raises is tried again after a
        pause. After a crash an event may be handled again: it has the same ``id``.

        :param position: where an earlier run was; None: events from now on are handled.
        :param save: keeps the position. It is called after each event.
        :param events: only these; ``message.*`` stands for all that begin so. Empty: all. A name that this
            client does not know is given as ``OtherEvent("email.waved")``.
        :param account: only those of the account with this id.
        :param continue_others: whether other conversations go on when the handler fails; the later events of
            the same one wait. The position contains them, and thus what customers wrote.
        :param on_error: is given the error, the event and the number of the attempt, and returns ``retry`` or
            ``skip``; what it raises ends the loop. None: always ``retry``.
        :param on_unreachable: is given the error of a desk that does not answer, and the seconds until it is
            asked again.
        :raises LobbyError: if the desk refuses, so that asking again would not help.
        """

        def fetch(**query: Any) -> EventPage:
            return self.page(events=events, account=account, **query)

        Listener(
            fetch,
            handler,
            position=position,
            save=save,
            continue_others=continue_others,
            on_error=on_error,
            on_unreachable=on_unreachable,
        ).run()


def _time(at: Optional[datetime]) -> Optional[str]:
    if at is not None and at.tzinfo is None:
        raise ValueError("updated_since needs a time zone")
    return None if at is None else at.isoformat()


def _file(content: bytes, name: str, title: str) -> dict[str, Any]:
    form, kind = _wire.form_of(name, content, "application/octet-stream")
    return {"query": {"title": title or None}, "content": form, "headers": {"Content-Type": kind}}


def _tool(
    name: str,
    title: str,
    about: str,
    url: str,
    effect: ToolEffect,
    parameters: Optional[Mapping[str, Any]],
    header: str,
    secret: Union[str, Unset, None],
) -> dict[str, Any]:
    body: dict[str, Any] = {"name": name, "title": title, "about": about, "url": url, "effect": effect}
    if parameters is not None:
        body["parameters"] = parameters
    body["header"] = header
    if not isinstance(secret, Unset):
        body["secret"] = secret
    return body


def _case(question: str, says: Sequence[str], never_says: Sequence[str], hands_over: bool) -> dict[str, Any]:
    return {"question": question, "handsOver": hands_over, "says": says, "neverSays": never_says}


def _ids(ids: Sequence[int]) -> Optional[str]:
    return ",".join(map(str, ids)) or None


def _yes_or_no(value: Optional[bool]) -> Optional[str]:
    return None if value is None else "true" if value else "false"
