"""Graph API client: calls with typed responses, and one exception for all failures.

Meta's pages: docs/graph-api/guides/error-handling,
documentation/business-messaging/messenger-platform/overview/rate-limiting.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json as jsonlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from host.sdk import strictjson
from host.sdk.errors import FetchError, ProviderError
from host.sdk.http import Client, Multipart, Response
from host.sdk.secrets import Secret

from . import config
from .answers import (
    AppSubscription,
    AppSubscriptions,
    LinkedAccount,
    Node,
    OwnPage,
    OwnPages,
    PageNode,
    Subscription,
    Subscriptions,
    TokenAnswer,
    TokenFacts,
    UploadAnswer,
)
from .values import clean, loads, mapping

T = TypeVar("T")

MAX_ANSWER = 2 * 1024 * 1024
CALL_SECONDS = 60.0
UPLOAD_SECONDS = 240.0
"""Enough for 25 MB at one Mbit/s."""
MOST_ANSWERS = 50
MOST_TOGETHER = 50
"""Maximum number of calls in one request (docs/graph-api/batch-requests)."""
_LOOKS_SECRET = re.compile(
    r"(?:EAA|IGAA|IGQ)[A-Za-z0-9_-]{16,}|\b[0-9]{5,20}\|[A-Za-z0-9_-]{16,}|\b[0-9a-f]{32}\b|\b[0-9a-f]{64}\b"
)


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage headers: percent of the limit used, and the seconds Meta asks us to wait.

    Meta's page: documentation/business-messaging/messenger-platform/overview/rate-limiting;
    ``estimated_time_to_regain_access`` is in minutes.

    :param percent: of the most used limit.
    :param app_percent: of the limit shared by all accounts of the app.
    """

    percent: int = 0
    regain_seconds: float | None = None
    app_percent: int = 0


class GraphError(ProviderError):
    """A call without a usable response.

    :ivar code: Meta's code; None if the response has no readable error.
    :ivar words: Meta's message, or why the call failed; contains no credentials.
    :ivar status: HTTP status; None without a response.
    :ivar sent: whether the request may have reached Meta and taken effect.
    """

    def __init__(
        self,
        words: str,
        *,
        code: int | None = None,
        subcode: int | None = None,
        status: int | None = None,
        usage: Usage = Usage(),
        sent: bool = True,
        transient: bool = False,
    ) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.subcode = subcode
        self.status = status
        self.usage = usage
        self.sent = sent
        self.transient = transient

    @property
    def key(self) -> str:
        """The code in the form people quote: ``10/2534022``, ``190``, or the HTTP status."""
        if self.code is None:
            return f"http {self.status}" if self.status else ""
        return f"{self.code}/{self.subcode}" if self.subcode is not None else str(self.code)

    @property
    def quote(self) -> str:
        """Return Meta's answer on one line."""
        return f"{self.words} ({self.key})" if self.key else self.words


class _CallAnswer(msgspec.Struct, frozen=True):
    """The response to one of several calls; its body is JSON as text."""

    code: int
    body: str = ""


@functools.lru_cache(maxsize=8)
def _client(hosts: frozenset[str]) -> Client:
    return Client(hosts)


@dataclass(frozen=True, slots=True)
class Graph:
    """Calls with one token, which is sent in a header, never in a URL."""

    flavour: config.Flavour
    token: Secret
    app_secret: Secret | None = None
    prove: bool = field(default=True)
    """Send ``appsecret_proof`` with each call (docs/graph-api/guides/secure-requests)."""

    def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        token: Secret | None = None,
        multipart: Multipart | None = None,
        patience: float | None = None,
        within: float | None = None,
        heard: Callable[[Usage], object] | None = None,
    ) -> T:
        """Make one call and return its response as *answer*.

        :param heard: called with the limits in a usable response; errors carry theirs.
        :param patience: seconds to wait for a response that takes longer than most.
        :param within: seconds after which the call is given up, because a person waits for it.
        :param token: a token to use instead of the account's, sent without proof.
        :raises GraphError: for anything but a 2xx with the expected shape.
        """
        query = dict(params or {})
        if token is None and self.prove and self.app_secret:
            query["appsecret_proof"] = proof(self.app_secret, self.token)
        url = f"{config.graph_url(self.flavour)}/{path.lstrip('/')}"
        bearer = (token or self.token).reveal()
        return self._ask(
            method,
            url,
            answer,
            params=query,
            json=json,
            multipart=multipart,
            read_timeout=patience or within,
            total_timeout=within if patience is None else patience + CALL_SECONDS,
            headers={"Authorization": f"Bearer {bearer}"},
            heard=heard,
        )

    def read_together(
        self, paths: Sequence[str], answer: type[T], *, params: Mapping[str, str]
    ) -> list[T | GraphError | None]:
        """Read up to :data:`MOST_TOGETHER` objects in one request; return the answers in their order.

        None: Meta gave up this one, because it took too long. Only through a Page: of Instagram Login, Meta's
        page documents no batches (docs/graph-api/batch-requests).

        :raises GraphError: if there is no usable answer for all of them.
        """
        query = dict(params)
        if self.prove and self.app_secret:
            query["appsecret_proof"] = proof(self.app_secret, self.token)
        told = urlencode(query)
        calls = [{"method": "GET", "relative_url": f"{path}?{told}"} for path in paths]
        usages: list[Usage] = []
        found = self._ask(
            "POST",
            f"{config.graph_url(self.flavour)}/",
            list[_CallAnswer | None],
            params={name: query[name] for name in ("appsecret_proof",) if name in query},
            # In the body, too: each call takes its token from there.
            form={
                "access_token": self.token.reveal(),
                "include_headers": "false",
                "batch": jsonlib.dumps(calls, separators=(",", ":")),
            },
            headers={"Authorization": f"Bearer {self.token.reveal()}"},
            repeatable=True,
            heard=usages.append,
        )
        if len(found) != len(paths):
            raise GraphError("the answer has another number of parts")
        return [None if part is None else self._part(part, answer, usages[0]) for part in found]

    def _part(self, part: _CallAnswer, answer: type[T], usage: Usage) -> T | GraphError:
        try:
            return self._convert(part.body.encode(), part.code, usage, answer)
        except GraphError as error:
            return error

    def exchange(
        self,
        url: str,
        answer: type[T],
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> T:
        """Exchange ``self.token``, a code or a token, for another; both are in *params* or *form*.

        :raises GraphError: as :meth:`call` does.
        """
        return self._ask("GET" if form is None else "POST", url, answer, params=params, form=form)

    def _ask(
        self,
        method: str,
        url: str,
        answer: type[T],
        *,
        heard: Callable[[Usage], object] | None = None,
        **sent: Any,
    ) -> T:
        try:
            response = _client(config.graph_hosts()).request(method, url, max_bytes=MAX_ANSWER, **sent)
        except FetchError as error:
            raise GraphError(self._redact(error.reason), sent=error.sent) from None
        found, usage = self._read(response, answer)
        if heard is not None:
            heard(usage)
        return found

    def upload(self, node: str, form: Multipart) -> UploadAnswer:
        """Upload the file in *form*; the id in the response is used to send it."""
        return self.call(
            "POST", f"{node}/message_attachments", UploadAnswer, multipart=form, patience=UPLOAD_SECONDS
        )

    def page(self, page_id: str) -> PageNode:
        """Return the Page and the Instagram account linked to it."""
        fields = "id,name,instagram_business_account{id,username}"
        return self.call("GET", page_id, PageNode, params={"fields": fields})

    def account(self, ig_user_id: str) -> LinkedAccount:
        """Return an Instagram account the token may see."""
        return self.call("GET", ig_user_id, LinkedAccount, params={"fields": "id,username"})

    def me(self) -> Node:
        """Return the owner of the token: a Page, or a person."""
        return self.call("GET", "me", Node, params={"fields": "id,name"})

    def token_facts(self) -> TokenFacts:
        """Return the token's app, permissions and expiry.

        A token may inspect itself. If Meta refuses that, its app's token does: ``/app`` returns the id, and
        the token is ``id|secret``. ``input_token`` is only accepted in the query; the client logs no URLs.
        """
        question = {"input_token": self.token.reveal()}
        try:
            return self.call("GET", "debug_token", TokenAnswer, params=question).data
        except GraphError as error:
            if error.code in {None, 190} or not self.app_secret:
                raise
        app = self.call("GET", "app", Node, params={"fields": "id"})
        app_token = Secret(f"{app.id}|{self.app_secret.reveal()}")
        return self.call("GET", "debug_token", TokenAnswer, params=question, token=app_token).data

    def own_pages(self) -> list[OwnPage]:
        """Return every Page of the token's person, following all pages of the response."""
        fields = "id,name,access_token,tasks,instagram_business_account{id,username}"
        query = {"fields": fields, "limit": "100"}
        found: list[OwnPage] = []
        for _ in range(MOST_ANSWERS):
            answer = self.call("GET", "me/accounts", OwnPages, params=query)
            found += answer.data
            after = answer.paging.cursors.after
            if not answer.data or not answer.paging.next or not after:
                break
            query["after"] = after
        return found

    def subscriptions(self, page_id: str) -> tuple[Subscription, ...]:
        """Return the apps subscribed to the Page, including the token's own, with their fields."""
        return self.call("GET", f"{page_id}/subscribed_apps", Subscriptions).data

    def app_webhook(self, app_id: str) -> AppSubscription | None:
        """Return the app's webhook for Instagram, requested with the app's own token.

        None if Meta lists none (docs/graph-api/reference/app/subscriptions).
        """
        secret = self.app_secret.reveal() if self.app_secret else ""
        own = Secret(f"{app_id}|{secret}")
        found = self.call("GET", f"{app_id}/subscriptions", AppSubscriptions, token=own).data
        return next((one for one in found if one.object == "instagram"), None)

    def set_app_webhook(
        self, app_id: str, callback_url: str, verify_token: Secret, fields: Sequence[str]
    ) -> None:
        """Point the app's webhook for Instagram to *callback_url*, which Meta verifies during this call.

        Meta's pages: docs/graph-api/reference/app/subscriptions. An older page for Messenger says that this
        object can only be set in the dashboard (docs/messenger-platform/instagram/features/webhook).
        """
        secret = self.app_secret.reveal() if self.app_secret else ""
        body = {
            "object": "instagram",
            "callback_url": callback_url,
            "verify_token": verify_token.reveal(),
            "fields": ",".join(fields),
            "include_values": True,
        }
        own = Secret(f"{app_id}|{secret}")
        self.call("POST", f"{app_id}/subscriptions", dict[str, Any], json=body, token=own)

    def subscribe(self, page_id: str, fields: tuple[str, ...]) -> None:
        """Subscribe the token's app to the Page."""
        body = {"subscribed_fields": ",".join(fields)}
        self.call("POST", f"{page_id}/subscribed_apps", dict[str, Any], json=body)

    def unsubscribe(self, page_id: str) -> None:
        """End the subscription of the token's app to the Page."""
        self.call("DELETE", f"{page_id}/subscribed_apps", dict[str, Any])

    def _read(self, response: Response, answer: type[T]) -> tuple[T, Usage]:
        usage = read_usage(response.headers)
        return self._convert(response.body, response.status, usage, answer), usage

    def _convert(self, body: bytes, status: int, usage: Usage, answer: type[T]) -> T:
        try:
            data = loads(body)
        except ValueError:
            data = None
        failure = self._failure(data, status, usage)
        if failure is not None:
            raise failure
        try:
            return strictjson.convert(data, answer, strict=False)
        except msgspec.ValidationError:
            raise GraphError("the answer could not be read", status=status, usage=usage) from None

    def _failure(self, data: object, status: int, usage: Usage) -> GraphError | None:
        """Return the error for a response, in either of Meta's two formats."""
        fields = mapping(data)
        error = fields.get("error")
        if isinstance(error, dict):
            return GraphError(
                self._redact(str(error.get("message") or "no words")),
                code=_number(error.get("code")),
                subcode=_number(error.get("error_subcode")),
                status=status,
                usage=usage,
                transient=error.get("is_transient") is True,
            )
        if "error_type" in fields or "error_message" in fields:
            words = self._redact(str(fields.get("error_message") or "no words"))
            return GraphError(words, code=_number(fields.get("code")), status=status, usage=usage)
        if not 200 <= status < 300:
            return GraphError(f"HTTP {status}, without an error that can be read", status=status, usage=usage)
        return None

    def _redact(self, words: str) -> str:
        """Return *words* without credentials, because Meta quotes tokens in some errors."""
        known = [self.token.reveal()]
        if self.app_secret:
            known += [self.app_secret.reveal(), proof(self.app_secret, self.token)]
        for secret in filter(None, known):
            words = words.replace(secret, "…")
        return clean(_LOOKS_SECRET.sub("…", words))[:500]


def proof(app_secret: Secret, token: Secret) -> str:
    """Return ``appsecret_proof``: HMAC-SHA256 of the token (docs/graph-api/guides/secure-requests)."""
    return hmac.new(app_secret.reveal().encode(), token.reveal().encode(), hashlib.sha256).hexdigest()


def read_usage(headers: Mapping[str, str]) -> Usage:
    """Read ``X-App-Usage`` and ``X-Business-Use-Case-Usage``; unreadable ones count as absent."""
    lower = {name.lower(): value for name, value in headers.items()}
    percent, minutes = 0, 0.0
    for usage in _usages(lower.get("x-app-usage", "")):
        percent = max(percent, *(_whole(usage.get(k)) for k in ("call_count", "total_time", "total_cputime")))
    app_percent = percent
    for cases in mapping(_json(lower.get("x-business-use-case-usage", ""))).values():
        for usage in cases if isinstance(cases, list) else ():
            facts = mapping(usage)
            percent = max(
                percent, *(_whole(facts.get(k)) for k in ("call_count", "total_time", "total_cputime"))
            )
            minutes = max(minutes, _whole(facts.get("estimated_time_to_regain_access")))
    wait = _whole(_json(lower.get("retry-after", "")))
    seconds = max(minutes * 60, wait)
    return Usage(percent, seconds or None, app_percent)


def _usages(raw: str) -> tuple[Mapping[str, Any], ...]:
    return (mapping(_json(raw)),)


def _json(raw: str) -> object:
    try:
        found: object = jsonlib.loads(raw[:20_000])
    except (ValueError, RecursionError):
        return None
    return found


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(max(value, 0), 1_000_000)) if value == value else 0  # noqa: PLR0124 - NaN


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdigit() and len(value) < 12:
        return int(value)
    return None
