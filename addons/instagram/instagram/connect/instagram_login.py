"""Connect Instagram: accounts without a Page, by Instagram Login.

Meta's pages: docs/instagram-platform/reference/oauth-authorize,
docs/instagram-platform/instagram-api-with-instagram-login.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from host.sdk.cards import (
    Advice,
    Candidate,
    Connection,
    SignIn,
    SignInChoice,
    SignInProblem,
    SignInReturn,
    SignInStart,
)
from host.sdk.i18n import gettext as _
from host.sdk.i18n import lazy_gettext
from host.sdk.secrets import Secret

from .. import config, permissions
from ..accounts import Details
from ..answers import Bought
from ..config import Flavour
from ..graph import Graph, GraphError
from ..values import identifier, mapping, text
from . import comments_switch, sign_in
from .connecting import connection

WAY = "instagram"
PROFESSIONAL = {"", "BUSINESS", "MEDIA_CREATOR", "CREATOR"}


def begin(start: SignInStart) -> str | SignInProblem:
    """Return the address of Instagram's dialog."""
    app = sign_in.app(Flavour.LOGIN, start.workspace_id)
    if isinstance(app, SignInProblem):
        return app
    # The token gets only the permissions this dialog requests, so it always names the usual ones. People see
    # only those they have not granted yet.
    with_comments = sign_in.asks_for_comments(start.abilities) or comments_switch.needed(
        start.account, start.workspace_id
    )
    query = {
        "client_id": app.id,
        "redirect_uri": start.return_url,
        "response_type": "code",
        "scope": ",".join(config.scopes_of(Flavour.LOGIN, comments=with_comments)),
        "state": start.state,
    }
    return f"{config.address('instagram_dialog_url')}/oauth/authorize?{urlencode(query)}"


def finish(request: SignInReturn) -> Sequence[Candidate] | SignInProblem:
    """Exchange the code for a token valid for 60 days, and request its owner."""
    app, code = sign_in.app(Flavour.LOGIN, request.workspace_id), sign_in.code_of(request)
    if isinstance(app, SignInProblem):
        return app
    if isinstance(code, SignInProblem):
        return code
    form = {
        "client_id": app.id,
        "client_secret": app.secret.reveal(),
        "grant_type": "authorization_code",
        "redirect_uri": request.return_url,
        "code": code,
    }
    try:
        first = unwrapped(
            Graph(Flavour.LOGIN, Secret(code), app.secret).exchange(
                f"{config.address('instagram_token_url')}/oauth/access_token", dict[str, Any], form=form
            )
        )
        short = Secret(text(first.get("access_token")))
        granted = granted_by(first.get("permissions"))
        with_comments = sign_in.asks_for_comments(request.abilities)
        needed = config.scopes_of(Flavour.LOGIN, comments=with_comments)
        asked = config.comment_scopes(Flavour.LOGIN) if with_comments else ()
        must = (*permissions.must(Flavour.LOGIN), *asked)
        problem = sign_in.lacking(must, granted) if granted else None
        if problem is not None:
            return problem
        bought = Graph(Flavour.LOGIN, short, app.secret).exchange(
            f"{config.address('graph_instagram_url')}/access_token",
            Bought,
            params={
                "grant_type": "ig_exchange_token",
                "client_secret": app.secret.reveal(),
                "access_token": short.reveal(),
            },
        )
        graph = Graph(Flavour.LOGIN, Secret(bought.access_token), app.secret, prove=False)
        query = {"fields": "id,user_id,username,name,account_type"}
        me = unwrapped(graph.call("GET", "me", dict[str, Any], params=query))
    except GraphError as error:
        return sign_in.refused(error)
    # "id" is the app-scoped id of the account; webhooks carry "user_id".
    user_id, username = identifier(me.get("user_id")), text(me.get("username"))
    if not user_id:
        return SignInProblem(_("Instagram didn't return the account."), sign_in.again())
    problem = None
    if text(me.get("account_type")).upper() not in PROFESSIONAL:
        problem = SignInProblem(
            _("This is a personal account. Only professional accounts can be connected."),
            _("Switch it to a professional account in the Instagram app, then sign in again."),
        )
    return [
        Candidate(
            external_id=user_id,
            name=text(me.get("name")) or username,
            handle=f"@{username}" if username else f"Instagram …{user_id[-4:]}",
            problem=problem,
            keep={
                "ig_username": username,
                "person": identifier(me.get("id")) or user_id,
                "token": bought.access_token,
                "ends": sign_in.text_of(sign_in.end_of(bought.expires_in)),
                "scopes": ",".join(granted or needed),
            },
        )
    ]


def connect(choice: SignInChoice) -> Connection | SignInProblem:
    """Subscribe the account and return the connection to store."""
    app = sign_in.app(Flavour.LOGIN, choice.workspace_id)
    if isinstance(app, SignInProblem):
        return app
    candidate, kept = choice.candidate, choice.candidate.keep
    sentence = choice.taken(candidate.external_id)
    if sentence:
        return SignInProblem(sentence)
    scopes = tuple(filter(None, kept["scopes"].split(",")))
    details = Details(
        page_id="",
        page_name="",
        ig_user_id=candidate.external_id,
        ig_username=kept["ig_username"],
        app_id=app.id,
        token=Secret(kept["token"]),
        app_secret=app.secret,
        token_expires_at=sign_in.time_of(kept, "ends"),
        scopes=scopes,
        subscribed_fields=(),
        flavour=Flavour.LOGIN,
        person_id=kept["person"],
    )
    made = connection(
        details,
        workspace_id=choice.workspace_id,
        name=choice.account.name if choice.account else candidate.name,
        way=WAY,
        comments=sign_in.asks_for_comments(choice.abilities),
    )
    return made if isinstance(made, Connection) else SignInProblem(" ".join(made.values()))


def unwrapped(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object of a response: inside ``data`` in Meta's docs, without it in practice."""
    data = answer.get("data")
    if isinstance(data, list) and data:
        return mapping(data[0])
    return mapping(data) if isinstance(data, dict) else answer


def granted_by(value: object) -> tuple[str, ...]:
    """Return the permissions of a token: a list, or a text with commas."""
    items = value if isinstance(value, list) else text(value).split(",")
    return tuple(text(item).strip() for item in items if text(item).strip())


SIGN_IN = SignIn(
    name=WAY,
    label=lazy_gettext("Connect Instagram"),
    begin=begin,
    finish=finish,
    connect=connect,
    available=lambda workspace_id: sign_in.unavailable(Flavour.LOGIN, workspace_id),
    abilities=(comments_switch.ABILITY,),
    advice=Advice(
        when=lazy_gettext("The account has no Page, or you're not sure"),
        how=lazy_gettext("Sign in with the Instagram account itself."),
        needs=lazy_gettext("The account's own password"),
        takes=lazy_gettext("1 minute, nothing to copy"),
        lasts=lazy_gettext("60 days, renewed automatically"),
    ),
    permissions=lambda: permissions.asked(Flavour.LOGIN),
)
