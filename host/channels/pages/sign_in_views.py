"""Connect in a provider's dialog: the button, the redirect back, and the choice, in a separate window.

The page that opened the window asks the desk for the outcome. A message from the window only speeds this up,
because a provider's opener policy may separate the two.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flask import Blueprint, Response, current_app, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from host.channels import connecting, other_workspaces, refusals, sign_in_attempts
from host.channels.directory import current_directory
from host.channels.other_workspaces import taken_sentence
from host.channels.pages.forms import Entered, read_form
from host.core import db
from host.core.backports.values import replace
from host.core.errors import ArchivedError, NotFoundError
from host.models.channels import ChannelAccount, SignInAttempt, SignInState, ref
from host.sdk.cards import (
    Candidate,
    Connection,
    SettingsCard,
    SignIn,
    SignInChoice,
    SignInProblem,
    SignInReturn,
    SignInStart,
)
from host.sdk.channel import AccountRef
from host.sdk.errors import AccountGoneError, AccountTakenError, OtherAccountError
from host.users.pages import sudo
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    actor,
    current_user,
    external_url,
    flash_bad,
    id_in,
    login_required,
    passive,
    wants_json,
    workspace_view,
)

log = logging.getLogger(__name__)

bp = Blueprint("sign_in", __name__)

LONGEST_VALUE = 8_000
HERE = "/w/<int:workspace_id>/settings/channels/sign-in/<uuid>"


@bp.before_request
def without_navigation() -> None:
    """Leave the navigation out of these pages and their errors: they have a window of their own."""
    g.in_window = True


@bp.after_request
def stay_with_opener(response: Response) -> Response:
    """Keep the window connected to the page that opened it, so that it can notify that page and close itself.

    The provider's dialog has no opener policy. Returning from it to a page with the desk's stricter policy
    would separate the two.
    """
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response


def way_of(channel: str, way: str) -> tuple[SettingsCard, SignIn]:
    """Return the card of *channel* and its sign-in *way*.

    :raises NotFoundError: if no active addon has it.
    """
    card = current_directory().card(channel)
    found = None if card is None else next((one for one in card.sign_ins if one.name == way), None)
    if card is None or found is None:
        raise NotFoundError()
    return card, found


@bp.post("/w/<int:workspace_id>/settings/channels/<channel>/sign-in/<way>")
@workspace_view(Permission.ACCOUNTS)
def begin(workspace_id: int, channel: str, way: str) -> ResponseReturnValue:
    """Start an attempt; return JSON with the dialog's address, or a page that links to it."""
    _card, found = way_of(channel, way)
    account = _account(workspace_id, channel, request.form.get("account", ""))
    abilities = frozenset(request.form.getlist("ability")) & frozenset(found.abilities)
    entered = Entered() if account is not None else read_form(found.fields, request.form, editing=False)
    user = current_user()
    attempt = db.write(
        sign_in_attempts.start,
        workspace_id=workspace_id,
        user_id=user.id,
        login_id=user.session_id,
        channel=channel,
        way=way,
        account_id=None if account is None else account.id,
        abilities=abilities,
        given=entered.clean,
    )
    wrong = " ".join(entered.errors.values())
    address = SignInProblem(wrong) if wrong else _begin(found, attempt, account, abilities)
    if isinstance(address, SignInProblem):
        _end(attempt, [], [address])
    here = url_for("sign_in.show", workspace_id=workspace_id, uuid=attempt.uuid)
    if wants_json():
        watch = url_for("sign_in.watch", workspace_id=workspace_id, uuid=attempt.uuid)
        return jsonify(url=here if isinstance(address, SignInProblem) else address, watch=watch, show=here)
    if isinstance(address, SignInProblem):
        return redirect(here, 303)
    # A link rather than a redirect, because the desk's content policy forbids forms that lead to other sites.
    return _page(render_template("channels/sign_in_leave.html", address=address, sign_in=found))


def _begin(
    found: SignIn, attempt: SignInAttempt, account: AccountRef | None, abilities: frozenset[str]
) -> str | SignInProblem:
    reason = found.available(attempt.workspace_id)
    if reason is not None:
        return SignInProblem(reason)
    start = SignInStart(
        workspace_id=attempt.workspace_id,
        state=sign_in_attempts.sign_state(str(current_app.secret_key), attempt),
        return_url=_return_url(attempt),
        account=account,
        abilities=abilities,
        verifier=sign_in_attempts.verifier(str(current_app.secret_key), attempt),
        given=sign_in_attempts.given_of(attempt),
    )
    try:
        return found.begin(start)
    except Exception as error:
        log.exception("the sign-in %s of channel %s could not begin", attempt.way, attempt.channel)
        return _failed(error)


def _return_url(attempt: SignInAttempt) -> str:
    return external_url("sign_in.back", channel=attempt.channel, way=attempt.way)


@bp.get("/channels/<channel>/sign-in/<way>")
@login_required
def back(channel: str, way: str) -> ResponseReturnValue:
    """Handle the provider's response when the person returns from the dialog, once, and show the result."""
    _card, found = way_of(channel, way)
    values = {name: value for name, value in request.args.items() if len(value) <= LONGEST_VALUE}
    uuid = sign_in_attempts.read_state(str(current_app.secret_key), values.pop("state", ""))
    user = current_user()
    attempt = db.write(
        sign_in_attempts.come_back, uuid, user_id=user.id, login_id=user.session_id, channel=channel, way=way
    )
    here = url_for("sign_in.show", workspace_id=attempt.workspace_id, uuid=attempt.uuid)
    if attempt.state == SignInState.CHOOSING:
        return redirect(here, 303)
    membership = user.membership(attempt.workspace_id)
    if membership is None or not membership.may(Permission.ACCOUNTS):
        problem = SignInProblem(
            _("You are no longer an owner of this workspace, so nothing was connected."),
            _("Ask an owner to connect the account."),
        )
        _end(attempt, [], [problem])
        return redirect(here, 303)
    if membership.archived:
        stopped = ArchivedError()
        _end(attempt, [], [SignInProblem(stopped.sentence, stopped.next_step)])
        return redirect(here, 303)
    with db.read() as session:
        row = sign_in_attempts.account_of(session, attempt)
    outcome = _finish(found, attempt, values, row)
    if isinstance(outcome, SignInProblem):
        _end(attempt, [], [outcome])
    elif row is not None:
        _reconnect(found, attempt, row, outcome)
    elif not outcome:
        _end(attempt, [], [sign_in_attempts.nothing_to_choose()])
    else:
        db.write(sign_in_attempts.offer, attempt.id, outcome)
    return redirect(here, 303)


def _finish(
    found: SignIn, attempt: SignInAttempt, values: dict[str, str], row: ChannelAccount | None
) -> Sequence[Candidate] | SignInProblem:
    account = None if row is None else ref(row)
    try:
        given = SignInReturn(
            attempt.workspace_id,
            _return_url(attempt),
            values,
            account,
            frozenset(attempt.abilities),
            sign_in_attempts.verifier(str(current_app.secret_key), attempt),
            sign_in_attempts.given_of(attempt),
        )
        return found.finish(given)
    except Exception as error:
        log.exception("the sign-in %s of channel %s failed", attempt.way, attempt.channel)
        return _failed(error)


def _reconnect(
    found: SignIn, attempt: SignInAttempt, row: ChannelAccount, candidates: Sequence[Candidate]
) -> None:
    """Connect only the account this attempt was started for."""
    for candidate in candidates:
        if candidate.external_id == row.external_id:
            if candidate.moves and candidate.problem is None:
                # This moves the account, so the person must confirm it first.
                db.write(sign_in_attempts.offer, attempt.id, [candidate])
                return
            problem, is_connected = candidate.problem, False
            if problem is None:
                problem, is_connected = _connect(found, attempt, candidate, row)
            _end(attempt, [row.handle] if is_connected else [], [problem] if problem else [])
            return
    problem = SignInProblem(
        _("%(handle)s is not one of the accounts you allowed.", handle=row.handle),
        _("Sign in as the person who manages it, and keep it selected in the dialog."),
    )
    _end(attempt, [], [problem])


@bp.get(HERE)
@workspace_view(Permission.ACCOUNTS)
def show(workspace_id: int, uuid: str) -> ResponseReturnValue:
    """Show the accounts that can be connected, or how the attempt ended."""
    attempt = _mine(workspace_id, uuid)
    card, found = way_of(attempt.channel, attempt.way)
    choices = []
    elsewhere = _elsewhere(workspace_id, card.channel)
    for candidate in sign_in_attempts.candidates_of(attempt):
        moved = elsewhere.get(candidate.external_id)
        sentence = (
            None
            if candidate.problem or moved
            else taken_sentence(workspace_id, card.channel, candidate.external_id)
        )
        problem = SignInProblem(sentence) if sentence else candidate.problem
        moves = candidate.moves if moved is None else f"{moved.sentence} {candidate.moves}".strip()
        choices.append((replace(candidate, moves=moves), problem))
    choices.sort(key=lambda choice: choice[1] is not None)
    return _page(
        render_template(
            "channels/sign_in.html",
            attempt=attempt,
            card=card,
            label=current_directory().label(card.channel),
            sign_in=found,
            choices=choices,
            open_choices=[choice for choice in choices if choice[1] is None],
        )
    )


@bp.post(HERE)
@workspace_view(Permission.ACCOUNTS)
def choose(workspace_id: int, uuid: str) -> ResponseReturnValue:
    """Connect the ticked accounts."""
    attempt = _mine(workspace_id, uuid)
    _card, found = way_of(attempt.channel, attempt.way)
    wanted = frozenset(request.form.getlist("account"))
    chosen = [
        one
        for one in sign_in_attempts.candidates_of(attempt)
        if one.external_id in wanted and one.problem is None
    ]
    here = url_for("sign_in.show", workspace_id=workspace_id, uuid=uuid)
    if attempt.state == SignInState.CHOOSING and not chosen:
        flash_bad(_("Select the accounts to connect first."))
        return redirect(here, 303)
    agreed = frozenset(request.form.getlist("move"))
    elsewhere = _elsewhere(workspace_id, attempt.channel)
    if any(one.external_id in elsewhere and one.external_id in agreed for one in chosen):
        sudo.require()
    mine: bool = bool(chosen) and db.write(sign_in_attempts.claim_choice, attempt.id)
    if mine:
        handles: list[str] = []
        problems: list[SignInProblem] = []
        with db.read() as session:
            row = sign_in_attempts.account_of(session, attempt)
        for candidate in chosen:
            moved = elsewhere.get(candidate.external_id) if candidate.external_id in agreed else None
            again = row if row is not None and row.external_id == candidate.external_id else None
            problem, is_connected = _connect(found, attempt, candidate, again, moved)
            if is_connected:
                handles.append(candidate.handle)
            if problem is not None:
                named = f"{candidate.handle}: {problem.sentence}" if len(chosen) > 1 else problem.sentence
                problems.append(SignInProblem(named, problem.next_step))
        _end(attempt, handles, problems)
    return redirect(here, 303)


@bp.get(f"{HERE}/state")
@passive
@workspace_view(Permission.ACCOUNTS)
def watch(workspace_id: int, uuid: str) -> ResponseReturnValue:
    """Return the state of the attempt to the page that opened the window."""
    attempt = _mine(workspace_id, uuid)
    told = {name: value for name, value in attempt.outcome.items() if name != sign_in_attempts.GIVEN}
    return jsonify(state=attempt.state, **told)


def _connect(
    found: SignIn,
    attempt: SignInAttempt,
    candidate: Candidate,
    row: ChannelAccount | None,
    moved: other_workspaces.Elsewhere | None = None,
) -> tuple[SignInProblem | None, bool]:
    """Connect one account; return why that failed or what was lost by it, and whether it is connected.

    :param moved: its current workspace, if its owner agreed to move it here.
    """
    workspace_id, channel = attempt.workspace_id, attempt.channel

    def taken(external_id: str) -> str | None:
        if moved is not None and external_id == moved.account.external_id:
            return None
        return taken_sentence(workspace_id, channel, external_id)

    account = None if row is None else ref(row)
    try:
        wanted = frozenset(attempt.abilities)
        connection = found.connect(SignInChoice(workspace_id, candidate, account, taken, wanted))
    except Exception as error:
        log.exception("the sign-in %s of channel %s could not connect an account", attempt.way, channel)
        return _failed(error), False
    if not isinstance(connection, Connection):
        return connection, False

    try:
        connecting.save(
            workspace_id=workspace_id,
            channel=channel,
            connection=connection,
            account_id=None if row is None else row.id,
            by=actor(),
            moved=None if moved is None else moved.account,
        )
    except AccountTakenError:
        sentence = taken(connection.external_id) or _("This account was just connected elsewhere.")
        return SignInProblem(sentence), False
    except (OtherAccountError, AccountGoneError):
        return SignInProblem(
            _("This is not the account you are reconnecting, so nothing was changed.")
        ), False
    except Exception:
        log.exception("an account of channel %s could not be written", channel)
        problem = SignInProblem(
            _("The account could not be saved, so nothing was changed."),
            _("Try again. If the problem persists, tell an admin."),
        )
        return problem, False
    if moved is not None:
        other_workspaces.clean_up_moved(way_of(channel, attempt.way)[0], moved)
    return (SignInProblem(connection.lost, connection.lost_step) if connection.lost else None), True


def _elsewhere(workspace_id: int, channel: str) -> dict[str, other_workspaces.Elsewhere]:
    with db.read() as session:
        return {
            one.account.external_id: one
            for one in other_workspaces.movable_accounts(session, workspace_id, channel)
        }


def _end(attempt: SignInAttempt, handles: list[str], problems: Sequence[SignInProblem]) -> None:
    db.write(sign_in_attempts.end, attempt.id, handles=handles, problems=problems)


def _mine(workspace_id: int, uuid: str) -> SignInAttempt:
    user = current_user()
    with db.read() as session:
        attempt = sign_in_attempts.find_attempt(session, uuid, user_id=user.id, login_id=user.session_id)
    if attempt is None or attempt.workspace_id != workspace_id:
        raise NotFoundError()
    return attempt


def _account(workspace_id: int, channel: str, given: str) -> AccountRef | None:
    if not given:
        return None
    account_id = id_in(given)
    with db.read() as session:
        row = session.get(ChannelAccount, account_id)
    if row is None or row.workspace_id != workspace_id or row.channel != channel:
        raise NotFoundError()
    return ref(row)


def _failed(error: Exception) -> SignInProblem:
    blame = _("The addon of this channel failed, so nothing was connected.")
    sentence = refusals.sentence(error, blame)
    return SignInProblem(sentence, _("Tell an admin. The reason is in the log.") if sentence == blame else "")


def _page(html: str) -> ResponseReturnValue:
    # The page is only for this person and must not be cached.
    return html, 200, {"Cache-Control": "no-store"}
