"""A provider of mailboxes with OAuth sign-in: it issues, rotates and revokes tokens, or fails."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit


@dataclass
class Grant:
    """A person's consent, and the tokens issued for it."""

    address: str
    scope: str
    redirect_uri: str = ""
    challenge: str = ""
    refresh: set[str] = field(default_factory=set)
    """The valid refresh tokens: the newest, or all of them if it does not rotate."""


@dataclass
class OAuthServer:
    """The provider, with its faults.

    :ivar address: address of the user who is signed in.
    :ivar consents: whether they agree.
    :ivar lasts: lifetime of an access token in seconds.
    :ivar rotates: whether each renewal issues another refresh token and invalidates the previous one.
    :ivar audience: audience of an ID token; empty: the client.
    :ivar mail_audience: whether access tokens are for the mail servers.
    :ivar answers: (status, body) of the next answers to requests for tokens, instead of its own.
    :ivar asked: the forms of all requests for tokens.
    """

    client_id: str = "desk-1"
    client_secret: str = "s3cret of the app"  # noqa: S105 - nobody's
    redirect_uris: set[str] = field(default_factory=set)
    address: str = "hello@shop.example"
    consents: bool = True
    lasts: int = 3600
    rotates: bool = True
    lasting: bool = True
    tells_who: bool = True
    audience: str = ""
    mail_audience: bool = True
    leaves_out: set[str] = field(default_factory=set)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    before_answer: Callable[[], object] | None = None
    now: Callable[[], float] = time.time
    port: int = 0
    codes: dict[str, Grant] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    access: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """The valid access tokens: their user, and whether the mail servers accept them."""
    given: list[str] = field(default_factory=list)
    """All tokens it ever issued, to find leaks."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accepts(self, user: str, token: str) -> bool:
        """Return whether a mail server accepts *token* for *user*."""
        with self.lock:
            return self.access.get(token) == (user, True)

    def end_access(self) -> None:
        """Invalidate every access token; they can be renewed."""
        with self.lock:
            self.access.clear()

    def revoke(self) -> None:
        """Revoke every consent."""
        with self.lock:
            self.access.clear()
            self.grants.clear()

    # ---- answering -----------------------------------------------------------------------------------

    def authorize(self, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the dialog, which accepts or refuses automatically."""
        uri = query.get("redirect_uri", "")
        if query.get("client_id") != self.client_id or uri not in self.redirect_uris:
            return 400, {}, b"redirect_uri_mismatch"
        back = {"state": query.get("state", "")}
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            back |= {"error": "invalid_request"}
        elif not self.consents:
            back |= {"error": "access_denied", "error_description": "They said no"}
        else:
            code = self._token("code")
            scope = " ".join(one for one in query.get("scope", "").split() if one not in self.leaves_out)
            self.codes[code] = Grant(self.address, scope, uri, query.get("code_challenge", ""))
            back |= {"code": code}
        return 302, {"Location": f"{uri}?{urlencode(back)}"}, b""

    def token(self, form: dict[str, str], basic: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of the response to a token request."""
        named, _, secret = basic.partition(":") if basic else (form.get("client_id", ""), "", "")
        named, secret = unquote_plus(named), unquote_plus(secret) or form.get("client_secret", "")
        if (named, secret) != (self.client_id, self.client_secret):
            return 401, {"error": "invalid_client", "error_description": f"not {secret}"}
        if form.get("grant_type") == "authorization_code":
            grant = self.codes.pop(form.get("code", ""), None)
            made = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            fits = grant is not None and hmac.compare_digest(
                base64.urlsafe_b64encode(made).rstrip(b"=").decode(), grant.challenge
            )
            if grant is None or not fits or grant.redirect_uri != form.get("redirect_uri"):
                return 400, {"error": "invalid_grant", "error_description": f"not {form.get('code')}"}
            self.grants.append(grant)
            return 200, self._tokens(grant, first=True)
        used = form.get("refresh_token", "")
        grant = next((one for one in self.grants if used in one.refresh), None)
        if grant is None:
            return 400, {"error": "invalid_grant", "error_description": f"AADSTS70008: {used} has expired"}
        if self.rotates:
            grant.refresh.clear()
        return 200, self._tokens(grant, first=False)

    def _tokens(self, grant: Grant, *, first: bool) -> dict[str, Any]:
        access = self._token("access")
        self.access[access] = (grant.address, self.mail_audience)
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lasts,
            "scope": grant.scope,
        }
        if self.lasting and (first or self.rotates):
            refresh = self._token("refresh")
            grant.refresh.add(refresh)
            answer["refresh_token"] = refresh
        if self.tells_who and "openid" in grant.scope.split():
            now = int(self.now())
            claims = {
                "iss": self.url,
                "sub": "1",
                "aud": self.audience or self.client_id,
                "iat": now,
                "exp": now + 3600,
                "email": grant.address,
            }
            answer["id_token"] = ".".join(map(_part, ({"alg": "none"}, claims))) + "."
        return answer

    def _token(self, kind: str) -> str:
        made = f"{kind}-{secrets.token_urlsafe(32)}"
        self.given.append(made)
        return made


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: OAuthServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        with self.server.provider.lock:
            status, headers, body = self.server.provider.authorize(dict(parse_qsl(parts.query)))
        self._answer(status, headers, body)

    def do_POST(self) -> None:
        provider = self.server.provider
        form = dict(parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if provider.before_answer is not None:
            provider.before_answer()
        with provider.lock:
            provider.asked.append(form)
            if provider.answers:
                status, body = provider.answers.pop(0)
            else:
                status, answer = provider.token(form, base64.b64decode(given).decode())
                body = json.dumps(answer).encode()
        self._answer(status, {"Content-Type": "application/json"}, body)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def running(provider: OAuthServer) -> Iterator[OAuthServer]:
    """Serve on a local port."""
    server = _Server(("127.0.0.1", provider.port), _Handler)
    server.provider = provider
    provider.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
