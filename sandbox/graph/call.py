"""One call to the Graph API: its parameters, its token, and the objects it may use."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.box import Sandbox
from sandbox.errors import WORDING, GraphError, missing_object
from sandbox.world import Account, App, Flavour, Json, Page, Token

PROOF_WRONG = "Invalid appsecret_proof provided in the API argument"
PROOF_MISSING = "API calls from the server require an appsecret_proof argument"


@dataclass(slots=True)
class Call:
    """A received call, and the work to run after its response."""

    box: Sandbox
    flavour: Flavour
    method: str
    path: list[str]
    query: dict[str, str]
    params: Json
    bearer: str | None = None
    version: str = ""
    upload: tuple[str, bytes] | None = None
    token: Token | None = None
    early: list[Callable[[], object]] = field(default_factory=list)
    after: list[Callable[[], object]] = field(default_factory=list)
    facts: Json = field(default_factory=dict)
    about: dict[str, str | None] = field(default_factory=dict)
    """Facts that faults may match, besides the token and the recipient."""
    answer_error: Callable[[GraphError, Flavour], tuple[Json, int]] = GraphError.answer

    @property
    def node(self) -> str:
        """Return the first part of the path."""
        return self.path[0] if self.path else ""

    @property
    def edge(self) -> str:
        """Return the second part of the path, or an empty string."""
        return self.path[1] if len(self.path) > 1 else ""

    def text(self, name: str, default: str | None = None) -> str:
        """Return a parameter as text; without default it is required (code 100)."""
        value = self.params.get(name, default)
        if isinstance(value, bool | int | float):
            value = json.dumps(value)
        if not isinstance(value, str):
            raise GraphError(100, None, f"The parameter {name} is required")
        return value

    def structure(self, name: str) -> Any:
        """Return a JSON parameter, even if it came as form text (M5)."""
        value = self.params.get(name)
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def words(self, name: str) -> list[str]:
        """Return a list parameter: comma-separated text, a JSON list, or a list."""
        value = self.structure(name)
        if isinstance(value, str):
            return [word.strip() for word in value.split(",") if word.strip()]
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return list(value)
        raise GraphError(100, None, f"The parameter {name} is required")

    def raw_token(self) -> str | None:
        """Return the token: header, then query, then body."""
        value = self.bearer or self.query.get("access_token") or self.params.get("access_token")
        return value if isinstance(value, str) and value else None

    def given_token(self) -> str:
        """Return the token; raise 2500 or 104 if there is none."""
        raw = self.raw_token()
        if raw is not None:
            return raw
        if self.node == "me":
            wording = "An active access token must be used to query information about the current user."
            raise GraphError(2500, None, wording)
        raise GraphError(104, None, "An access token is required to request this resource.")

    def authenticate(self) -> Token:
        """Find the token, check it and its proof; raise 104, 190 or 100."""
        raw = self.given_token()
        token = self.app_token(raw) or self.box.world.tokens.get(raw)
        if token is None or (token.type == "IG_USER" and self.flavour is Flavour.F):
            raise GraphError(190)
        if self.flavour is Flavour.I and token.type not in ("IG_USER", "APP"):
            raise GraphError(190)
        self.token = token
        check_token(self.box, token)
        app = self.box.world.apps[token.app_id]
        if app.restricted:
            words = f"Unsupported request - method type: {self.method.lower()}"
            raise GraphError(100, None, words, type="IGApiException")
        proof = self.query.get("appsecret_proof")
        if proof is not None and not same(proof, proof_of(app, raw)):
            raise GraphError(100, None, PROOF_WRONG, type="GraphMethodException")
        if proof is None and app.require_proof and token.type != "APP":
            raise GraphError(100, None, PROOF_MISSING, type="GraphMethodException")
        return token

    def app_token(self, raw: str) -> Token | None:
        """Read an app token, ``APP_ID|APP_SECRET``."""
        app_id, bar, secret = raw.partition("|")
        app = self.box.world.apps.get(app_id)
        if not bar or app is None or not same(secret, app.secret):
            return None
        return Token(id=f"app-{app_id}", value="", type="APP", app_id=app_id, user_id="", scopes=[])

    def need(self, *scopes: str) -> Token:
        """Return the token if it has a scope for this road, else raise 200."""
        token = self.token
        assert token is not None
        wanted = scopes[0] if self.flavour is Flavour.F else scopes[-1]
        if wanted not in token.scopes:
            raise GraphError(200, None, f"Requires {wanted} permission to manage the object")
        return token

    def page(self) -> Page:
        """Return the Page in the path; the token must belong to it."""
        token = self.token
        assert token is not None
        if token.type != "PAGE" or token.page_id is None:
            if self.node in self.box.world.pages or self.node == "me":
                raise GraphError(210, None, "A page access token is required to request this resource.")
            raise missing_object(self.node)
        if self.node not in ("me", token.page_id):
            raise missing_object(self.node)
        return self.box.world.pages[token.page_id]

    def account(self) -> Account:
        """Return the account of the path: the Page's on F, the token's on I."""
        if self.flavour is Flavour.F:
            page = self.page()
            linked = self.box.world.accounts.get(page.igid or "")
            if linked is None or not linked.is_professional:
                raise GraphError(100, 2534013)
            return linked
        token = self.token
        assert token is not None
        account = self.box.world.accounts.get(token.igid or "")
        if account is None or self.node not in ("me", account.igid, account.scoped_id):
            raise missing_object(self.node)
        return account

    def messaging_account(self) -> Account:
        """Return the account if the API allows messages for it, else raise 200/2534041."""
        account = self.account()
        if not account.is_professional:
            raise GraphError(10, None, "The account is not an Instagram professional account")
        if account.messaging_blocked:
            raise GraphError(100, 2534029)
        if not account.allow_messages:
            raise GraphError(200, 2534041)
        return account

    def app(self) -> App:
        """Return the app the token belongs to."""
        assert self.token is not None
        return self.box.world.apps[self.token.app_id]


def same(given: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def proof_of(app: App, token: str) -> str:
    """Return the ``appsecret_proof`` of a token."""
    return hmac.new(app.secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def token_problem(box: Sandbox, token: Token) -> GraphError | None:
    """Return why a token does not work (190 and subcode), or None."""
    now = box.clock.now()
    if not token.valid:
        wording = WORDING.get((190, token.subcode), WORDING[190, None])
        subcode = token.subcode
    elif token.expires_at and now >= token.expires_at:
        wording, subcode = WORDING[190, 463], 463
    else:
        return None
    filled = wording.format(app=token.app_id, expired=_american(token.expires_at or now), now=_american(now))
    return GraphError(190, subcode, filled)


def check_token(box: Sandbox, token: Token) -> None:
    """Raise 190 if a token does not work."""
    problem = token_problem(box, token)
    if problem is not None:
        raise problem


def _american(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%A, %d-%b-%y %H:%M:%S UTC")
