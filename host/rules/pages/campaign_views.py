"""Campaigns in Settings -> Rules: the fields of the form, the posts to choose from, and the people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.automation import texts
from host.automation.condition_checks import MOST_WORDS
from host.automation.condition_forms import split
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError, NotFoundError
from host.inbox import variables
from host.inbox.comments.posts import by_id, keep
from host.inbox.comments.private import led_to
from host.inbox.comments.private_reply import OfHour, of_hour
from host.inbox.pages import durations
from host.inbox.pages.comments.parts import KINDS, picture_of
from host.inbox.teams.models import Team
from host.inbox.variables import FilledPart
from host.live.following import follows
from host.media.pages.person_views import post_picture
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Conversation
from host.models.users import User, Workspace
from host.rules import body as bodies
from host.rules import log, people, posts, rules
from host.rules import recent_posts as recent
from host.rules.body import RuleTargets
from host.rules.models import RuleState
from host.rules.pages import campaign_forms as fillings
from host.rules.pages import campaign_words
from host.rules.pages import words as rule_words
from host.rules.pages.blueprint import ONE, RULES, bp
from host.rules.pages.campaign_forms import CampaignFilling
from host.rules.people import Counts, Got, Person
from host.rules.posts import Tried
from host.rules.recent_posts import PostAccount, PostsNotListedError
from host.rules.rules import RuleView
from host.sdk.channel import PrivateContext
from host.sdk.text import byte_length
from host.web.csv_file import csv_response
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, id_argument, seen_accounts, workspace_view

LATELY = timedelta(days=7)
LONGEST_SEARCH = 100
MOST_ACCOUNTS = 5
"""Most accounts whose number of private replies is shown."""
PORTION = 500
"""Rows of the export that are read at a time."""


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


@bp.get(f"{RULES}/posts")
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
            src=url_for("rules.recent_picture", **here, after=after, post=post.external_id)
            if post.picture_url
            else "",
        )
        for post in found.posts
    ]
    more = url_for("rules.recent_posts", **here, after=found.after) if found.after else ""
    return render_template("rules/_recent_posts.html", tiles=tiles, problem=None, more=more, first=not after)


@bp.get(f"{RULES}/posts/picture")
@workspace_view(Permission.ACCOUNTS)
def recent_picture(workspace_id: int) -> ResponseReturnValue:
    """Show the picture of one of an account's recent posts as a small square."""
    of = _post_account(workspace_id, id_argument("account"))
    named = request.args.get("post", "")
    listed = recent.page(of, request.args.get("after", "")).posts
    url = next((one.picture_url for one in listed if one.external_id == named), None)
    if url is None:
        raise NotFoundError()
    return post_picture(url, of.ref, of.adapter)


def _post_account(workspace_id: int, account_id: int | None) -> PostAccount:
    with db.read() as session:
        return recent.account(session, workspace_id, current_directory(), seen_accounts(), account_id)


def with_picked(workspace_id: int, filling: CampaignFilling) -> CampaignFilling:
    """Return *filling* with the post that was pressed or typed, which may have no comments yet.

    :raises LobbyError: if the account has no such post, or its provider cannot be asked.
    """
    picked = fillings.picked(request.form, filling)
    if picked is None:
        return filling
    try:
        of = _post_account(workspace_id, picked[0])
        post = recent.find(of, picked[1])
    except LobbyError as error:
        error.field = "post"
        raise
    return fillings.with_post(filling, db.write(keep, of.ref.id, post))


# ---- the form ---------------------------------------------------------------------------------------


def fields(
    session: Session, workspace_id: int, filling: CampaignFilling, what: RuleTargets
) -> dict[str, Any]:
    """Return the context for the fields, with a sample of what a customer sees."""
    accounts = seen_accounts()
    offered = posts.newest(session, workspace_id, filling.posts, accounts)
    listed = recent.accounts(session, workspace_id, current_directory(), accounts)
    days, hourly = _limits(
        session, workspace_id, {one.account_id for one in offered if one.id in filling.posts}
    )
    workspace = session.get_one(Workspace, workspace_id)
    return {
        "posts": offered,
        "post_accounts": [(str(one.ref.id), one.name) for one in listed],
        "tried": _tried(session, workspace_id, filling, accounts),
        "days": days,
        "limits": what.private,
        "hourly": hourly,
        "picture_of": partial(picture_of, workspace_id=workspace_id),
        "bytes": byte_length(filling.text.strip()),
        "teams": [(str(id_), name) for id_, name in what.targets.teams.items()],
        "labels": [(str(id_), name) for id_, name in what.targets.labels.items()],
        "sequences": [
            (str(id_), name)
            for id_, name in what.sequences.items()
            if id_ in what.live_sequences or str(id_) == filling.sequence
        ],
        "most_answers": bodies.MOST_ANSWERS,
        "sample": _sample(workspace_id, filling, offered, workspace.name),
    }


def head(session: Session, workspace_id: int, shown: RuleView) -> dict[str, Any]:
    """Return the context for the head of the pages of a campaign."""
    counts = people.counted(session, [shown.id], seen_accounts()).get(shown.id, Counts())
    would = 0
    if shown.state == RuleState.SHADOW:
        runs = log.counted_of(session, shown.id, clock.now() - LATELY, seen_accounts())
        would = runs.get("shadow", 0)
    return {
        "counts": counts,
        "ended": people.has_ended(shown, counts, clock.now()),
        "would": would,
        "src": _picture(session, workspace_id, shown),
    }


def _picture(session: Session, workspace_id: int, shown: RuleView) -> str:
    """Return the address of the picture of a campaign's only post, or an empty string."""
    wanted = None if shown.body is None else fillings.of_body("", shown.body, shown.state, UTC)
    if wanted is None or wanted.where != "posts" or len(wanted.posts) != 1:
        return ""
    accounts = seen_accounts()
    found = by_id(session, workspace_id, wanted.posts).get(wanted.posts[0])
    if found is None or (accounts is not None and found.account_id not in accounts):
        return ""
    return picture_of(found, workspace_id)


def _limits(session: Session, workspace_id: int, chosen: set[int]) -> tuple[int, list[tuple[str, OfHour]]]:
    """Return for how many days a comment can be answered privately, and what was sent within the last hour.

    :param chosen: the accounts of the chosen posts; empty: every account with comments.

    The days are those of the first account, 0 if they are unknown. The numbers of private replies are those
    of each answering account.
    """
    directory, now, accounts = current_directory(), clock.now(), seen_accounts()
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id,
        ChannelAccount.channel.in_(
            [one.key for one in directory.adapters if one.capabilities.private_replies is not None]
        ),
        ChannelAccount.state != AccountState.DISCONNECTED,
    )
    if chosen:
        query = query.where(ChannelAccount.id.in_(chosen))
    if accounts is not None:
        query = query.where(ChannelAccount.id.in_(accounts))
    days, found = 0, []
    for row in session.scalars(query.order_by(ChannelAccount.id).limit(MOST_ACCOUNTS)).all():
        adapter = directory.adapter(row.channel)
        if adapter is None:
            continue
        until = adapter.private_policy(PrivateContext(ref(row), now, now)).until
        days = days or (0 if until is None else round((until - now) / timedelta(days=1)))
        used = of_hour(session, row.id, adapter.capabilities_of(ref(row)).private_replies, now)
        if used is not None:
            found.append((row.name or row.handle or "", used))
    return days, found


def _tried(session: Session, workspace_id: int, filling: CampaignFilling, accounts: Any) -> Tried | None:
    """Return the comments the keywords match so far, or None without keywords or a chosen post."""
    words = split(filling.words)[:MOST_WORDS]
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
    workspace_id: int, filling: CampaignFilling, offered: Sequence[posts.PostOption], workspace: str
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


# ---- people -----------------------------------------------------------------------------------------


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
@follows
def people_of(workspace_id: int, rule_id: int) -> ResponseReturnValue:
    """List the people who commented with the keyword, with the outcome and what followed."""
    wanted = _wanted()
    with db.read() as session:
        shown = _campaign(session, workspace_id, rule_id)
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
        context = head(session, workspace_id, shown)
    return render_template(
        "rules/campaign_people.html",
        shown=shown,
        lines=lines,
        which=wanted["got"] or "",
        search=wanted["search"],
        older=some[-1].id if len(found) > len(some) else None,
        got=campaign_words.GOT,
        states=rule_words.STATES,
        **context,
    )


def _campaign(session: Session, workspace_id: int, rule_id: int) -> RuleView:
    """Return a rule that is a campaign.

    :raises RuleNotFoundError: if there is none.
    """
    what = rules.there(session, workspace_id, current_directory())
    shown = rules.shown(session, workspace_id, rule_id, what)
    if not shown.is_campaign:
        raise rules.RuleNotFoundError()
    return shown


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
        icon, tone = campaign_words.LOOKS[one.got]
        lines.append(
            PersonRow(
                one,
                icon,
                tone,
                str(campaign_words.GOT[one.got]),
                campaign_words.why(one, its, "" if its is None else names.get(its.conversation_id, ""), now),
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
    wanted, accounts = _wanted(), seen_accounts()
    with db.read() as session:
        shown = _campaign(session, workspace_id, rule_id)
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
