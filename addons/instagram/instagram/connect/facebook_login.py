"""Connect with Facebook: the person's Pages, each with the Instagram account linked to it.

Meta's pages: docs/facebook-login/guides/access-tokens/get-long-lived,
documentation/instagram-platform/instagram-api-with-facebook-login/business-login-for-instagram.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from ..answers import Bought, OwnPage
from ..config import Flavour
from ..graph import Graph, GraphError
from . import comments_switch, sign_in
from .checks import EnteredCredentials, examine
from .connecting import connection, moves

WAY = "facebook"
ANSWERING = {"MESSAGING", "MODERATE", "MANAGE", "PROFILE_PLUS_MESSAGING", "PROFILE_PLUS_FULL_CONTROL"}


def begin(start: SignInStart) -> str | SignInProblem:
    """Return the address of Facebook's dialog."""
    app = sign_in.app(Flavour.PAGE, start.workspace_id)
    if isinstance(app, SignInProblem):
        return app
    query = {
        "client_id": app.id,
        "redirect_uri": start.return_url,
        "state": start.state,
        "response_type": "code",
    }
    asked = sign_in.asks_for_comments(start.abilities)
    wanted = comments_switch.needed(start.account, start.workspace_id)
    config_id = config.facebook_config_id(comments=asked or wanted)
    if config_id:
        query["config_id"] = config_id
    else:
        # Granted permissions stay granted, so an ability requests only its own permissions.
        scopes = (
            config.comment_scopes(Flavour.PAGE) if asked else config.scopes_of(Flavour.PAGE, comments=wanted)
        )
        query["scope"] = ",".join(scopes)
        # Otherwise Facebook doesn't ask again for declined permissions.
        query["auth_type"] = "rerequest"
    version = config.graph_version()
    return f"{config.address('facebook_dialog_url')}/{version}/dialog/oauth?{urlencode(query)}"


def finish(request: SignInReturn) -> Sequence[Candidate] | SignInProblem:
    """Exchange the code for a long-lived token and list the person's Pages."""
    app, code = sign_in.app(Flavour.PAGE, request.workspace_id), sign_in.code_of(request)
    if isinstance(app, SignInProblem):
        return app
    if isinstance(code, SignInProblem):
        return code
    url = f"{config.graph_url(Flavour.PAGE)}/oauth/access_token"
    client = {"client_id": app.id, "client_secret": app.secret.reveal()}
    try:
        short = Graph(Flavour.PAGE, Secret(code), app.secret).exchange(
            url, Bought, params={**client, "redirect_uri": request.return_url, "code": code}
        )
        # A Page token from a long-lived user token doesn't expire.
        long = Graph(Flavour.PAGE, Secret(short.access_token), app.secret).exchange(
            url,
            Bought,
            params={
                **client,
                "grant_type": "fb_exchange_token",
                "fb_exchange_token": short.access_token,
            },
        )
        graph = Graph(Flavour.PAGE, Secret(long.access_token), app.secret)
        asked = config.comment_scopes(Flavour.PAGE) if sign_in.asks_for_comments(request.abilities) else ()
        needed = (*permissions.must(Flavour.PAGE), permissions.LISTS_PAGES, *asked)
        problem = sign_in.lacking(needed, graph.token_facts().scopes)
        if problem is not None:
            return problem
        person = graph.me().id
        pages = graph.own_pages()
    except GraphError as error:
        return sign_in.refused(error)
    if not pages:
        return SignInProblem(
            _("Facebook didn't return any of your Pages."),
            _("Sign in again as the person who manages the Page, and keep the Page selected."),
        )
    found = [_candidate(page, person) for page in pages]
    return [
        replace(one, moves=moves(request.workspace_id, one.external_id, one.keep["page_id"]))
        if one.keep
        else one
        for one in found
    ]


def _candidate(page: OwnPage, person: str) -> Candidate:
    linked = page.instagram_business_account
    detail = _("Page “%(page)s”", page=page.name)
    if linked is None:
        return Candidate(
            external_id=f"page:{page.id}",
            name=page.name,
            handle="",
            detail=detail,
            problem=SignInProblem(
                _("No professional Instagram account is linked to this Page."),
                _("Link one in the Page's settings, then sign in again."),
            ),
        )
    problem = None
    if not ANSWERING.intersection(task.upper() for task in page.tasks):
        problem = SignInProblem(
            _("You aren't allowed to reply to messages of this Page."),
            _("Ask an admin of the Page for the task “Messages”, then sign in again."),
        )
    elif not page.access_token:
        problem = SignInProblem(
            _("Facebook didn't grant access to this Page."),
            _("Sign in again and keep the Page selected."),
        )
    handle = f"@{linked.username}" if linked.username else f"Instagram …{linked.id[-4:]}"
    return Candidate(
        external_id=linked.id,
        name=page.name,
        handle=handle,
        detail=detail,
        problem=problem,
        keep={
            "page_id": page.id,
            "page_name": page.name,
            "ig_username": linked.username,
            "token": page.access_token,
            "person": person,
        },
    )


def connect(choice: SignInChoice) -> Connection | SignInProblem:
    """Check the chosen Page with Meta, subscribe it, and return the connection to store."""
    app = sign_in.app(Flavour.PAGE, choice.workspace_id)
    if isinstance(app, SignInProblem):
        return app
    kept = choice.candidate.keep
    given = EnteredCredentials(
        page_id=kept["page_id"],
        page_name=kept["page_name"],
        ig_user_id=choice.candidate.external_id,
        ig_username=kept["ig_username"],
        token=Secret(kept["token"]),
        app_secret=app.secret,
    )
    checked = examine(given, choice.taken)
    if not isinstance(checked, Details):
        return SignInProblem(" ".join(checked.values()))
    checked = replace(checked, person_id=kept["person"])
    made = connection(
        checked,
        workspace_id=choice.workspace_id,
        name=choice.account.name if choice.account else checked.page_name,
        way=WAY,
        comments=sign_in.asks_for_comments(choice.abilities),
    )
    return made if isinstance(made, Connection) else SignInProblem(" ".join(made.values()))


SIGN_IN = SignIn(
    name=WAY,
    label=lazy_gettext("Connect with Facebook"),
    begin=begin,
    finish=finish,
    connect=connect,
    available=lambda workspace_id: sign_in.unavailable(Flavour.PAGE, workspace_id),
    abilities=(comments_switch.ABILITY,),
    advice=Advice(
        when=lazy_gettext("The account is linked to a Facebook Page you manage"),
        how=lazy_gettext("Sign in and choose the Page. Most shops use this."),
        needs=lazy_gettext("The “Messages” task on the Page"),
        takes=lazy_gettext("1 minute, nothing to copy"),
        lasts=lazy_gettext("Until the password changes"),
    ),
    permissions=lambda: permissions.asked(Flavour.PAGE),
)
