"""Settings -> Campaigns: rules that answer a keyword in comments with a message, with their own form."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import texts
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import LobbyError, NotFoundError
from host.inbox import variables
from host.inbox.comments.once import OfHour, of_hour
from host.inbox.comments.posts import by_id, keep
from host.inbox.comments.private import led_to
from host.inbox.pages import durations
from host.inbox.pages.comments.parts import KINDS, picture_of
from host.inbox.teams.models import Team
from host.inbox.variables import FilledPart
from host.media.pages.person_views import post_picture
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Conversation
from host.models.users import User, Workspace
from host.rules import body as bodies
from host.rules import keeping, log, people, posts, recent
from host.rules.keeping import RuleView
from host.rules.models import Rule, RuleState
from host.rules.pages import campaign_filling as fillings
from host.rules.pages import campaign_wording, views, wording
from host.rules.pages.campaign_filling import Filling
from host.rules.pages.filling import split
from host.rules.people import Counts, Got, Person
from host.rules.posts import Tried
from host.rules.recent import PostAccount, PostsNotListedError
from host.sdk.channel import PrivateContext
from host.sdk.text import byte_length
from host.users.workspaces import SavedMeanwhileError
from host.web import navigation
from host.web.csv_file import csv_response
from host.web.request_helpers import (
    Permission,
    actor,
    flash_good,
    form_version,
    id_argument,
    seen_accounts,
    workspace_view,
)

bp = Blueprint("campaigns", __name__, template_folder="../templates")
navigation.add_settings(
    "campaigns.index",
    _l("Campaigns"),
    order=24,
    section=navigation.AUTOMATION,
    icon="send",
    words="comment to DM, keyword, posts, private reply, Kommentar, Stichwort, Beiträge, private Antwort",
)

CAMPAIGNS = "/w/<int:workspace_id>/settings/campaigns"
ONE = f"{CAMPAIGNS}/<int:rule_id>"
LATELY = timedelta(days=7)
LONGEST_SEARCH = 100
MOST_ACCOUNTS = 5
"""Most accounts whose number of private replies is shown."""
PORTION = 500
"""Rows of the export that are read at a time."""


# ---- the list ------------------------------------------------------------------------------------------


@bp.get(CAMPAIGNS)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """List the campaigns, newest first, each with the outcomes for its people."""
    with db.read() as session:
        what = keeping.there(session, workspace_id, current_directory())
        found = keeping.campaigns(session, workspace_id, what)
        counts = people.counted(session, [one.id for one in found], seen_accounts())
    said = views.seen_names(what)
    lines = [
        (one, counts.get(one.id, Counts()), "" if one.body is None else wording.sentence(one.body, said))
        for one in found
    ]
    return render_template(
        "rules/campaigns.html",
        lines=lines,
        states=wording.STATES,
        ended={one.id for one, number, _words in lines if people.has_ended(one, number, clock.now())},
        possible=what.private is not None,
    )


# ---- set up --------------------------------------------------------------------------------------------


@bp.get(f"{CAMPAIGNS}/new")
@workspace_view(Permission.ACCOUNTS)
def new(workspace_id: int) -> ResponseReturnValue:
    """Show the form for a new campaign, from the template or empty."""
    filling = fillings.template() if request.args.get("from") == "words" else Filling()
    return _form(workspace_id, None, filling)


@bp.post(f"{CAMPAIGNS}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int) -> ResponseReturnValue:
    """Add a campaign: a rule after the others."""
    return _save(workspace_id, None)


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
def campaign(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Show the six fields of a campaign, or only its rule if it does not fit in them."""
    shown = _shown(workspace_id, rule_id)
    filling = None
    if shown.body is not None:
        filling = fillings.of_body(shown.name, shown.body, shown.state, _zone(workspace_id))
    if filling is None:
        return redirect(url_for("rules.rule", workspace_id=workspace_id, rule_id=rule_id), 303)
    return _form(workspace_id, shown, filling)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Change a campaign; its earlier versions are kept."""
    return _save(workspace_id, _shown(workspace_id, rule_id))


@bp.post(f"{ONE}/state")
@workspace_view(Permission.ACCOUNTS)
def put_in_state(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Stop or resume a campaign, as saved."""
    _shown(workspace_id, rule_id)
    wanted = RuleState.LIVE if request.form.get("state") == RuleState.LIVE else RuleState.OFF
    rule = db.write(views.change_state, workspace_id, rule_id, wanted, by=actor())
    flash_good(f"{rule.name}: {wording.STATES_SAY[wanted]}")
    return redirect(url_for("campaigns.campaign", workspace_id=workspace_id, rule_id=rule_id), 303)


# ---- posts to choose from ------------------------------------------------------------------------------


class PostTile(msgspec.Struct, frozen=True):
    """A post in the list of an account's recent posts.

    :param pick: the value that adds it to the form: its account and its id at the provider.
    :param src: address of its picture; empty: none.
    """

    pick: str
    title: str
    at: datetime | None
    src: str


@bp.get(f"{CAMPAIGNS}/posts")
@workspace_view(Permission.ACCOUNTS)
def recent_posts(workspace_id: int) -> ResponseReturnValue:
    """Show a page of an account's recent posts, or why the provider didn't list them: part of the form."""
    of = _post_account(workspace_id, id_argument("account"))
    after = request.args.get("after", "")
    try:
        found = recent.page(of, after)
    except PostsNotListedError as error:
        return render_template("rules/_recent_posts.html", tiles=(), problem=error, more="")
    here: dict[str, Any] = {"workspace_id": workspace_id, "account": of.ref.id}
    tiles = [
        PostTile(
            pick=f"{of.ref.id}:{post.external_id}",
            title=posts.title_of(post.text, str(KINDS[post.kind])),
            at=post.published_at,
            src=url_for("campaigns.recent_picture", **here, after=after, post=post.external_id)
            if post.picture_url
            else "",
        )
        for post in found.posts
    ]
    more = url_for("campaigns.recent_posts", **here, after=found.after) if found.after else ""
    return render_template("rules/_recent_posts.html", tiles=tiles, problem=None, more=more, first=not after)


@bp.get(f"{CAMPAIGNS}/posts/picture")
@workspace_view(Permission.ACCOUNTS)
def recent_picture(workspace_id: int) -> ResponseReturnValue:
    """Show the picture of one of an account's recent posts as a small square."""
    of = _post_account(workspace_id, id_argument("account"))
    named = request.args.get("post", "")
    listed = recent.page(of, request.args.get("after", "")).posts
    url = next((one.picture_url for one in listed if one.external_id == named), None)
    if url is None:
        raise NotFoundError()
    return post_picture(url, of.adapter)


def _post_account(workspace_id: int, account_id: int | None) -> PostAccount:
    with db.read() as session:
        return recent.account(session, workspace_id, current_directory(), seen_accounts(), account_id)


def _with_picked(workspace_id: int, filling: Filling, account_id: int | None, named: str) -> Filling:
    """Return *filling* with a post of an account chosen, which may have no comments yet.

    :raises LobbyError: if the account has no such post, or its provider cannot be asked.
    """
    try:
        of = _post_account(workspace_id, account_id)
        post = recent.find(of, named)
    except LobbyError as error:
        error.field = "post"
        raise
    return fillings.with_post(filling, db.write(keep, of.ref.id, post))


def _shown(workspace_id: int, rule_id: int) -> RuleView:
    """Return a rule that is a campaign.

    :raises RuleNotFoundError: if there is none.
    """
    with db.read() as session:
        what = keeping.there(session, workspace_id, current_directory())
        shown = keeping.shown(session, workspace_id, rule_id, what)
    if shown.body is None or shown.body.campaign is None:
        raise keeping.RuleNotFoundError()
    return shown


def _zone(workspace_id: int) -> tzinfo:
    with db.read() as session:
        name = session.get_one(Workspace, workspace_id).timezone
    return clock.zone(name if name in clock.zones() else "UTC")


def _save(workspace_id: int, shown: RuleView | None) -> ResponseReturnValue:
    """Save the form, or show it again with another row, a preview, or errors."""
    filling = fillings.given(request.form)
    if "preview" in request.form:
        return _form(workspace_id, shown, filling)
    if request.form.get("move") == "answer":
        return _form(workspace_id, shown, fillings.another(filling), focus=True)
    picked = fillings.picked(request.form, filling)
    try:
        if picked is not None:
            filling = _with_picked(workspace_id, filling, *picked)
        if "pick" in request.form or request.form.get("move") == "post":
            return _form(workspace_id, shown, filling)
        body = filling.body(_zone(workspace_id))
        named = replace(filling, name=filling.title)
        version = form_version()
        saved: Rule = db.write(views.save_rule, workspace_id, shown, named, body, version, by=actor())
    except LobbyError as error:
        return _form(workspace_id, shown, filling, problem=error)
    flash_good(_("Campaign %(name)s was saved.", name=saved.name))
    return redirect(url_for("campaigns.campaign", workspace_id=workspace_id, rule_id=saved.id), 303)


def _form(
    workspace_id: int,
    shown: RuleView | None,
    filling: Filling,
    *,
    problem: LobbyError | None = None,
    focus: bool = False,
) -> ResponseReturnValue:
    accounts = seen_accounts()
    with db.read() as session:
        what = keeping.there(session, workspace_id, current_directory())
        offered = posts.newest(session, workspace_id, filling.posts, accounts)
        tried = _tried(session, workspace_id, filling, accounts)
        listed = recent.accounts(session, workspace_id, current_directory(), accounts)
        days = _days(session, workspace_id)
        head = _head(session, workspace_id, shown)
        hourly = _hourly(
            session, workspace_id, {one.account_id for one in offered if one.id in filling.posts}
        )
        workspace = session.get_one(Workspace, workspace_id)
    limits = what.private
    page = render_template(
        "rules/campaign.html",
        shown=shown,
        filling=filling,
        problem=problem,
        place="" if problem is None else fillings.place_of(problem.field),
        focus=focus,
        posts=offered,
        post_accounts=[(str(one.ref.id), one.name) for one in listed],
        tried=tried,
        days=days,
        limits=limits,
        hourly=hourly,
        picture_of=partial(picture_of, workspace_id=workspace_id),
        bytes=byte_length(filling.text.strip()),
        teams=[(str(id_), name) for id_, name in what.targets.teams.items()],
        labels=[(str(id_), name) for id_, name in what.targets.labels.items()],
        most_answers=bodies.MOST_ANSWERS,
        states=wording.STATES,
        states_say=wording.STATES_SAY,
        version=_version(shown, problem),
        sample=_sample(workspace_id, filling, offered, workspace.name),
        gone="" if shown is None else shown.gone,
        **head,
    )
    return page, 200 if problem is None else problem.status


def _version(shown: RuleView | None, problem: LobbyError | None) -> int:
    """Return the version the form is based on. After a conflict was shown, the form may overwrite it."""
    if shown is None:
        return 0
    posted = form_version()
    return shown.version if posted is None or isinstance(problem, SavedMeanwhileError) else posted


def _head(session: Session, workspace_id: int, shown: RuleView | None) -> dict[str, Any]:
    """Return the context for the header of both pages of a campaign."""
    if shown is None:
        return {"counts": Counts(), "ended": False, "would": 0, "src": ""}
    counts = people.counted(session, [shown.id], seen_accounts()).get(shown.id, Counts())
    would = 0
    if shown.state == RuleState.SHADOW:
        runs = log.counted_of(session, shown.id, clock.now() - LATELY, seen_accounts())
        would = runs.get("shadow", 0)
    src = _picture(session, workspace_id, shown)
    return {
        "counts": counts,
        "ended": people.has_ended(shown, counts, clock.now()),
        "would": would,
        "src": src,
    }


def _picture(session: Session, workspace_id: int, shown: RuleView) -> str:
    """Return the address of the picture of a campaign's only post, or an empty string."""
    wanted = None if shown.body is None else fillings.of_body("", shown.body, shown.state, UTC)
    chosen = () if wanted is None or wanted.where != "posts" else wanted.posts
    if len(chosen) != 1:
        return ""
    accounts = seen_accounts()
    found = by_id(session, workspace_id, chosen).get(chosen[0])
    if found is None or (accounts is not None and found.account_id not in accounts):
        return ""
    return picture_of(found, workspace_id)


def _hourly(session: Session, workspace_id: int, chosen: Collection[int]) -> list[tuple[str, OfHour]]:
    """Return the number of private replies that each answering account sent within the last hour.

    :param chosen: the accounts of the chosen posts; empty: every account with comments.
    """
    directory, now, accounts = current_directory(), clock.now(), seen_accounts()
    channels = [one.key for one in directory.adapters if one.capabilities.private_replies is not None]
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id,
        ChannelAccount.channel.in_(channels),
        ChannelAccount.state != AccountState.DISCONNECTED,
    )
    if chosen:
        query = query.where(ChannelAccount.id.in_(chosen))
    if accounts is not None:
        query = query.where(ChannelAccount.id.in_(accounts))
    found = []
    for row in session.scalars(query.order_by(ChannelAccount.id).limit(MOST_ACCOUNTS)):
        adapter = directory.adapter(row.channel)
        limits = None if adapter is None else adapter.capabilities_of(ref(row)).private_replies
        used = of_hour(session, row.id, limits, now)
        if used is not None:
            found.append((row.name or row.handle or "", used))
    return found


def _tried(session: Session, workspace_id: int, filling: Filling, accounts: Any) -> Tried | None:
    """Return the comments the keywords match so far, or None without keywords or a chosen post."""
    words = split(filling.words)[: bodies.MOST_WORDS]
    if not words or filling.on_posts() is None:
        return None
    return posts.tried(
        session,
        workspace_id,
        words,
        ids=filling.posts if filling.where == "posts" else (),
        caption=split(filling.caption) if filling.where == "caption" else (),
        accounts=accounts,
    )


def _days(session: Session, workspace_id: int) -> int:
    """Return the number of days for which the channel allows a private reply to a comment; 0: unknown."""
    directory, now = current_directory(), clock.now()
    channels = [one.key for one in directory.adapters if one.capabilities.private_replies is not None]
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.channel.in_(channels)
    )
    account = session.scalars(query.order_by(ChannelAccount.id).limit(1)).one_or_none()
    adapter = None if account is None else directory.adapter(account.channel)
    if account is None or adapter is None:
        return 0
    until = adapter.private_policy(PrivateContext(ref(account), now, now)).until
    return 0 if until is None else round((until - now) / timedelta(days=1))


# ---- how a customer sees it ----------------------------------------------------------------------------

_FIRST_NAME, _NAME, _HANDLE = "Rosa", "Rosa S.", "rosa.sample"


class Sample(msgspec.Struct, frozen=True):
    """A sample of what a person who comments with the keyword sees.

    :param handle: their handle; *account*: the handle of the account that answers.
    :param src: address of the post's picture; empty: none.
    """

    handle: str
    word: str
    account: str
    caption: str
    src: str
    public: Sequence[FilledPart]
    private: Sequence[FilledPart]
    offered: Sequence[str]


def _sample(
    workspace_id: int, filling: Filling, offered: Sequence[posts.PostOption], workspace: str
) -> Sample:
    chosen = next((one for one in offered if one.id in filling.posts), None)
    account = workspace if chosen is None else chosen.account
    values = {
        "contact.name": _NAME,
        "contact.first_name": _FIRST_NAME,
        "contact.handle": f"@{_HANDLE}",
        "account.name": account,
        "workspace.name": workspace,
    }
    public = next((one for one in filling.answers if one.strip()), "")
    return Sample(
        handle=_HANDLE,
        word=next(iter(split(filling.words)), ""),
        account=account,
        caption="" if chosen is None else chosen.title,
        src="" if chosen is None else picture_of(chosen, workspace_id),
        public=_filled(public, values),
        private=_filled(filling.text, values),
        offered=filling.quick_replies,
    )


def _filled(text: str, values: Mapping[str, str]) -> Sequence[FilledPart]:
    try:
        return texts.parts(text.strip(), values)
    except variables.VariableError:
        return [FilledPart(text.strip(), "words")]


# ---- people --------------------------------------------------------------------------------------------


class PersonRow(msgspec.Struct, frozen=True):
    """A person in the list of a campaign."""

    person: Person
    icon: str
    tone: str
    got: str
    why: str
    when: str
    direct_id: int | None


@bp.get(f"{ONE}/people")
@workspace_view(Permission.ACCOUNTS)
def people_of(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """List the people who commented with the keyword, with the outcome and what followed."""
    shown, wanted = _shown(workspace_id, rule_id), _wanted()
    with db.read() as session:
        found = people.listing(
            session,
            rule_id,
            **wanted,
            accounts=seen_accounts(),
            before=id_argument("before"),
            limit=people.PAGE + 1,
        )
        some = found[: people.PAGE]
        lines = _lines(session, workspace_id, some)
        head = _head(session, workspace_id, shown)
    return render_template(
        "rules/campaign_people.html",
        shown=shown,
        lines=lines,
        which=wanted["got"] or "",
        search=wanted["search"],
        older=some[-1].id if len(found) > len(some) else None,
        got=campaign_wording.GOT,
        states=wording.STATES,
        **head,
    )


def _wanted() -> dict[str, Any]:
    got = request.args.get("show", "")
    return {
        "got": Got(got) if got in set(Got) else None,
        "search": request.args.get("q", "").strip()[:LONGEST_SEARCH],
    }


def _lines(session: Session, workspace_id: int, found: Sequence[Person]) -> list[PersonRow]:
    """Return the rows of the page, in a fixed number of statements."""
    now = clock.now()
    led = led_to(session, workspace_id, [one.private_id for one in found if one.private_id is not None])
    names = _with_whom(session, [one.conversation_id for one in led.values() if one.answered])
    lines = []
    for one in found:
        its = led.get(one.private_id or 0)
        icon, tone = campaign_wording.LOOKS[one.got]
        lines.append(
            PersonRow(
                one,
                icon,
                tone,
                str(campaign_wording.GOT[one.got]),
                campaign_wording.why(
                    one, its, "" if its is None else names.get(its.conversation_id, ""), now
                ),
                durations.moment(one.at, now),
                None if its is None else its.conversation_id,
            )
        )
    return lines


def _with_whom(session: Session, conversations: Sequence[int]) -> dict[int, str]:
    """Return the assignee of each of *conversations*: a person, else a team."""
    query = (
        sa.select(Conversation.id, sa.func.coalesce(User.name, Team.name))
        .outerjoin(User, User.id == Conversation.assignee_id)
        .outerjoin(Team, Team.id == Conversation.team_id)
        .where(Conversation.id.in_(conversations))
    )
    return {id_: name for id_, name in session.execute(query) if name} if conversations else {}


@bp.get(f"{ONE}/people.csv")
@workspace_view(Permission.ACCOUNTS)
def people_file(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """Export the whole filtered list as a file, streamed some rows at a time."""
    shown, wanted, accounts = _shown(workspace_id, rule_id), _wanted(), seen_accounts()
    heads = [_("Person"), _("Handle"), _("Wrote"), _("Comments"), _("Result"), _("Why"), _("When")]

    def rows() -> Iterator[Sequence[str | int | None]]:
        yield heads
        before: int | None = None
        while True:
            with db.read() as session:
                found = people.listing(
                    session, rule_id, **wanted, accounts=accounts, before=before, limit=PORTION
                )
                lines = _lines(session, workspace_id, found)
            for line in lines:
                one = line.person
                at = one.at.isoformat(timespec="seconds")
                yield one.name, one.handle, one.wrote, one.messages, line.got, line.why, at
            if len(found) < PORTION:
                return
            before = found[-1].id

    return csv_response(f"campaign-{shown.id}", rows())
