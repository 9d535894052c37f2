"""Check with Meta that pasted credentials belong together. Each failure names its field and Meta's answer.

Meta's pages: docs/graph-api/guides/secure-requests, docs/facebook-login/guides/access-tokens/get-long-lived,
documentation/business-messaging/messenger-platform/webhooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from host.sdk import clock
from host.sdk.i18n import format_date
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret

from .. import config, permissions
from ..accounts import Credentials, Details, graph_of
from ..answers import Node, PageNode, Subscription, TokenFacts
from ..errors import Outcome, classify
from ..graph import Graph, GraphError
from .fields import APP_SECRET, IG_USER_ID, PAGE_ID, TOKEN

SHORTEST_LIFE = timedelta(days=7)
DEAD_TOKEN = {102, 190}
_PERMISSION = {3, 10}


@dataclass(frozen=True, slots=True)
class EnteredCredentials:
    """Credentials that a person entered, or stored ones.

    :param ig_user_id: empty: the account that is linked to the Page.
    """

    page_id: str
    page_name: str
    ig_user_id: str
    ig_username: str
    token: Secret
    app_secret: Secret
    new_token: bool = True
    new_app_secret: bool = True


@dataclass(slots=True)
class Findings:
    """Problems found so far: sentences by field, with Meta's message."""

    problems: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, sentence: str, error: GraphError | None = None) -> None:
        """Record the first problem of a field, with Meta's message."""
        if error is not None:
            sentence = f"{sentence} {_('Meta responded: %(words)s', words=error.quote)}"
        self.problems.setdefault(name, sentence)


def examine(given: EnteredCredentials, taken: Callable[[str], str | None]) -> Details | dict[str, str]:
    """Check credentials with Meta; return the details to store, or a sentence per invalid field."""
    findings = Findings()
    graph, me = _ask_who(given, findings)
    if me is None:
        return findings.problems
    facts = _check_token(graph, findings)
    page = _check_page(graph, given, me, findings)
    if findings.problems or page is None or facts is None:
        return findings.problems
    linked = page.instagram_business_account
    ig_user_id = given.ig_user_id or (linked.id if linked else "")
    sentence = taken(ig_user_id)
    if sentence:
        return {IG_USER_ID.name if given.ig_user_id else PAGE_ID.name: sentence}
    return Details(
        page_id=page.id,
        page_name=page.name or given.page_name,
        ig_user_id=ig_user_id,
        ig_username=(linked.username if linked else "") or given.ig_username,
        app_id=facts.app_id,
        token=given.token,
        app_secret=given.app_secret,
        token_expires_at=end_of(facts),
        scopes=facts.scopes,
        subscribed_fields=(),
        new_token=given.new_token,
        new_app_secret=given.new_app_secret,
    )


def _ask_who(given: EnteredCredentials, findings: Findings) -> tuple[Graph, Node | None]:
    """Request the token's owner with the app secret's proof; distinguish a wrong token from a wrong
    secret.
    """
    graph = Graph(config.Flavour.PAGE, given.token, given.app_secret)
    try:
        return graph, graph.me()
    except GraphError as error:
        first = error
    if first.code is None:
        findings.note(
            "", _("Nothing was saved because Meta couldn't be reached. Try again in a moment."), first
        )
        return graph, None
    if first.code in DEAD_TOKEN:
        findings.note(TOKEN.name, _("Meta rejected this token. Create a new one and paste it."), first)
        return graph, None
    # Errors about a proof have no distinct code, so the same call without a proof distinguishes them.
    unproven = replace(graph, prove=False)
    wrong = _("This secret belongs to a different app than the token. Copy the App Secret from the same app.")
    try:
        me = unproven.me()
    except GraphError as second:
        if "appsecret_proof" in first.words:
            findings.note(APP_SECRET.name, wrong, first)
        else:
            findings.note(TOKEN.name, _("Meta rejected this token."), second)
        return graph, None
    findings.note(APP_SECRET.name, wrong, first)
    return unproven, me


def _check_token(graph: Graph, findings: Findings) -> TokenFacts | None:
    try:
        facts = graph.token_facts()
    except GraphError as error:
        findings.note(TOKEN.name, _("Meta didn't return details for this token."), error)
        return None
    if not facts.is_valid:
        findings.note(TOKEN.name, _("This token is no longer valid. Create a new one and paste it."))
    elif facts.type and facts.type.upper() != "PAGE":
        findings.note(
            TOKEN.name,
            _("This is a token of type %(type)s, not a Page token.", type=facts.type[:20].lower()),
        )
    missing = permissions.lacking(config.Flavour.PAGE, facts.scopes)
    end = end_of(facts)
    if missing:
        findings.note(
            TOKEN.name,
            _(
                "The token is missing required permissions: %(missing)s. Create one that has them.",
                missing=", ".join(missing),
            ),
        )
    elif end is not None and end < clock.now() + SHORTEST_LIFE:
        findings.note(
            TOKEN.name,
            _(
                "This short-lived token expires on %(date)s. Create a long-lived one from a long-lived user "
                "token, and paste that.",
                date=format_date(end),
            ),
        )
    if not facts.app_id:
        findings.note(TOKEN.name, _("Meta didn't return the app of this token."))
    return facts


def _check_page(graph: Graph, given: EnteredCredentials, me: Node, findings: Findings) -> PageNode | None:
    """Check that token, Page and Instagram account belong together; name the one that does not."""
    try:
        page = _page(graph, me, given)
    except GraphError as error:
        if me.id == given.page_id and is_permission(error) and not given.ig_user_id:
            findings.note(
                IG_USER_ID.name,
                _(
                    "Meta doesn't show this token which Instagram account is linked to the Page. Enter its "
                    "ID."
                ),
                error,
            )
        elif me.id == given.page_id:
            findings.note(PAGE_ID.name, _("This token has no access to this Page."), error)
        else:
            findings.note(TOKEN.name, _("This token doesn't belong to a Page."), error)
        return None
    linked = page.instagram_business_account
    if me.id != given.page_id:
        mine = linked is not None and linked.id == given.ig_user_id
        if given.page_id == given.ig_user_id or (linked is not None and linked.id == given.page_id):
            sentence = _("This is the ID of the Instagram account. Enter the ID of its Page instead.")
            findings.note(PAGE_ID.name, sentence)
        elif mine:
            findings.note(
                PAGE_ID.name,
                _(
                    "The token is for the Page “%(page)s” with the ID %(id)s.",
                    page=page.name,
                    id=page.id,
                ),
            )
        else:
            findings.note(
                TOKEN.name,
                _(
                    "This token is for a different Page: “%(page)s”, %(id)s. Paste the token of the Page "
                    "with the ID above.",
                    page=page.name,
                    id=page.id,
                ),
            )
            return page
    if linked is None:
        findings.note(
            IG_USER_ID.name,
            _(
                "No professional Instagram account is linked to the Page “%(page)s”. Link one in the "
                "Page's settings, then save again.",
                page=page.name,
            ),
        )
    elif given.ig_user_id and linked.id != given.ig_user_id:
        findings.note(
            IG_USER_ID.name,
            _(
                "The Page “%(page)s” is linked to a different Instagram account: %(name)s, %(id)s.",
                page=page.name,
                name=f"@{linked.username}" if linked.username else "Instagram",
                id=linked.id,
            ),
        )
    return page


def _page(graph: Graph, me: Node, given: EnteredCredentials) -> PageNode:
    """Return what the token's permissions show of the Page and its account.

    Without ``pages_read_engagement`` Meta may hide the Page; the account is then requested directly.

    :raises GraphError: if Meta shows neither, with its answer about the Page.
    """
    try:
        return graph.page(me.id)
    except GraphError as error:
        if not is_permission(error) or me.id != given.page_id or not given.ig_user_id:
            raise
        try:
            linked = graph.account(given.ig_user_id)
        except GraphError:
            raise error from None
    return PageNode(id=me.id, name=me.name, instagram_business_account=linked)


def is_permission(error: GraphError) -> bool:
    """Return whether Meta refused because of a missing permission."""
    return error.code in _PERMISSION or 200 <= (error.code or 0) < 300


def end_of(facts: TokenFacts) -> datetime | None:
    if not facts.expires_at or facts.expires_at < 0:
        return None
    try:
        return datetime.fromtimestamp(facts.expires_at, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def subscribe(details: Details, *, comments: bool = False) -> tuple[Details, bool] | dict[str, str]:
    """Subscribe the Page or account and verify it; return the subscribed fields, and whether they are new.

    Fields of the Instagram object are selected in the app itself; Meta refuses them here.
    """
    graph = graph_of(details.flavour, details.token, details.app_secret)
    wanted = config.fields_of(details.flavour, comments=comments)
    try:
        before = held(graph, details)
        graph.subscribe(node_of(details), tuple(dict.fromkeys((*wanted, *(before or ())))))
        after = held(graph, details)
    except GraphError as error:
        if is_permission(error) and not details.may_subscribe:
            # The token's other permissions work; the card says what to do by hand.
            return replace(details, subscribed_fields=()), False
        name = TOKEN.name if is_permission(error) else ""
        sentence = (
            _("Nothing was saved because the Page couldn't be subscribed.")
            if details.page_id
            else _("Nothing was saved because the account couldn't be subscribed.")
        )
        return {name: f"{sentence} {_('Meta responded: %(words)s', words=error.quote)}"}
    missing = [wish for wish in wanted if wish not in (after or ())]
    if missing:
        return {
            "": _(
                "Meta accepted the subscription but doesn't list these fields: %(missing)s. Try again in "
                "a moment.",
                missing=", ".join(missing),
            )
        }
    return replace(details, subscribed_fields=after or ()), before is None


def held(graph: Graph, details: Details) -> tuple[str, ...] | None:
    """Return the fields our app is subscribed to; None if it is not subscribed."""
    return held_of(graph.subscriptions(node_of(details)), details.flavour, details.app_id)


def held_of(
    subscriptions: Sequence[Subscription], flavour: config.Flavour, app_id: str
) -> tuple[str, ...] | None:
    """Return the fields our own app is subscribed to on a Page or account.

    An Instagram app has an id different from its Meta app's, and Meta doesn't document which one is listed.
    An account's list shows only the calling app.
    """
    for subscription in subscriptions:
        if subscription.id == app_id or flavour is config.Flavour.LOGIN:
            return subscription.subscribed_fields
    return None


def node_of(details: Details) -> str:
    """Return the id of the subscribed node: the Page, or the account itself."""
    return details.page_id if details.flavour is config.Flavour.PAGE else details.ig_user_id


def is_dead(found: Credentials) -> bool:
    """Return whether Meta refuses the token itself now, because it sometimes refuses a valid one once.

    No response does not count as a refusal.
    """
    try:
        found.graph().me()
    except GraphError as error:
        return classify(error).outcome is Outcome.RECONNECT
    return False
