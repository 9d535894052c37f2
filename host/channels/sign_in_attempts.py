"""Connect accounts in a provider's dialog: one function per step of an attempt.

Only a signed state, the provider's code and an id pass through the browser. The provider's credentials stay
on the server, encrypted, until the person has chosen.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import secrets as random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from host.core import clock, secrets
from host.core.errors import LobbyError
from host.core.secrets import Place, Secret
from host.models.channels import ChannelAccount, SignInAttempt, SignInState
from host.sdk.cards import Candidate, SignInProblem
from host.web.languages import gettext as _

log = logging.getLogger(__name__)

LASTS = timedelta(minutes=30)
"""Time limit for the provider's dialog, and again for choosing accounts."""
MOST_CANDIDATES = 500

GIVEN = "given"
"""Key in the outcome of an unfinished attempt for the values entered next to the button."""

_SALT = "lobby sign-in"


class StateError(LobbyError):
    """The provider's response belongs to another person, or is too late."""

    status = 400
    code = "sign_in"


def _again() -> Any:
    return _l("Close this window and start again on the Channels page.")


def sign_state(key: str, attempt: SignInAttempt) -> str:
    """Return the signed state of *attempt*, which passes through the provider."""
    return str(URLSafeTimedSerializer(key, salt=_SALT).dumps(attempt.uuid))


def read_state(key: str, state: str) -> str:
    """Return the UUID of a state's attempt.

    :raises StateError: if it was not signed here, or has expired.
    """
    try:
        found = URLSafeTimedSerializer(key, salt=_SALT).loads(state, max_age=int(LASTS.total_seconds()))
    except SignatureExpired:
        raise StateError(
            _l("The sign-in took longer than 30 minutes, so nothing was connected."), next_step=_again()
        ) from None
    except BadSignature:
        raise StateError(
            _l("This response does not match a sign-in started here, so nothing was connected."),
            next_step=_again(),
        ) from None
    return str(found)


def verifier(key: str, attempt: SignInAttempt) -> str:
    """Return the PKCE verifier, derived from the login and not stored."""
    made = hmac.digest(key.encode(), f"{_SALT} verifier {attempt.uuid}".encode(), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def start(
    session: Session,
    *,
    workspace_id: int,
    user_id: int,
    login_id: int,
    channel: str,
    way: str,
    account_id: int | None,
    abilities: Iterable[str] = (),
    given: Mapping[str, str] | None = None,
) -> SignInAttempt:
    """Record an attempt as the person leaves for the dialog.

    :param given: values entered next to the button.
    """
    attempt = SignInAttempt(
        uuid=random.token_hex(16),
        workspace_id=workspace_id,
        user_id=user_id,
        login_id=login_id,
        channel=channel,
        way=way,
        account_id=account_id,
        abilities=sorted(abilities),
        state=SignInState.AWAY,
        outcome={GIVEN: dict(given)} if given else {},
        created_at=clock.now(),
    )
    session.add(attempt)
    session.flush()
    return attempt


def given_of(attempt: SignInAttempt) -> Mapping[str, str]:
    """Return the values entered next to the button, while the attempt is unfinished."""
    found: Mapping[str, str] = attempt.outcome.get(GIVEN, {})
    return found


def come_back(
    session: Session, uuid: str, *, user_id: int, login_id: int, channel: str, way: str
) -> SignInAttempt:
    """Continue the attempt *uuid* after the dialog. This works once.

    Who went back to the dialog finds the choice still open: then nothing changes.

    :raises StateError: if it is unknown, belongs to another person, or was already continued.
    """
    attempt = find_attempt(session, uuid, user_id=user_id, login_id=login_id)
    if attempt is None or (attempt.channel, attempt.way) != (channel, way):
        raise StateError(
            _l("This sign-in was started by someone else or in another browser, so nothing was connected."),
            next_step=_again(),
        )
    if attempt.state == SignInState.CHOOSING:
        return attempt
    moved = session.execute(
        sa.update(SignInAttempt)
        .where(SignInAttempt.id == attempt.id, SignInAttempt.state == SignInState.AWAY)
        .values(state=SignInState.BACK)
    )
    if not moved.rowcount:  # type: ignore[attr-defined]
        raise StateError(
            _l("This sign-in response was already used. Its result is unchanged."), next_step=_again()
        )
    session.refresh(attempt)
    return attempt


def find_attempt(session: Session, uuid: str, *, user_id: int, login_id: int) -> SignInAttempt | None:
    """Return an attempt of this person in this login, or None."""
    return session.scalar(
        sa.select(SignInAttempt).where(
            SignInAttempt.uuid == uuid,
            SignInAttempt.user_id == user_id,
            SignInAttempt.login_id == login_id,
        )
    )


def offer(session: Session, attempt_id: int, candidates: Sequence[Candidate]) -> None:
    """Store the accounts that can be chosen, encrypted."""
    attempt = session.get_one(SignInAttempt, attempt_id)
    text = json.dumps([_plain(candidate) for candidate in candidates[:MOST_CANDIDATES]])
    attempt.candidates = secrets.keyring().seal(Secret(text), _place(attempt))
    attempt.state = SignInState.CHOOSING
    session.flush()


def candidates_of(attempt: SignInAttempt) -> list[Candidate]:
    """Return the accounts that can be chosen; empty in every other state."""
    if attempt.candidates is None:
        return []
    text = secrets.keyring().open(attempt.candidates, _place(attempt)).reveal()
    return [_candidate(one) for one in json.loads(text)]


def claim_choice(session: Session, attempt_id: int) -> bool:
    """Claim the choice, so that a second press connects nothing twice; return False if already claimed."""
    moved = session.execute(
        sa.update(SignInAttempt)
        .where(SignInAttempt.id == attempt_id, SignInAttempt.state == SignInState.CHOOSING)
        .values(state=SignInState.BACK)
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def end(
    session: Session, attempt_id: int, *, handles: Sequence[str], problems: Sequence[SignInProblem]
) -> None:
    """Record the outcome of the attempt, and delete its credentials."""
    attempt = session.get_one(SignInAttempt, attempt_id)
    attempt.candidates = None
    attempt.state = SignInState.DONE if handles else SignInState.FAILED
    attempt.outcome = {
        "handles": list(handles),
        "problems": [
            {"sentence": str(problem.sentence)[:1000], "next_step": str(problem.next_step)[:1000]}
            for problem in problems
        ],
    }
    session.flush()


def forget_old(session: Session) -> None:
    """Delete expired attempts, with their credentials."""
    session.execute(sa.delete(SignInAttempt).where(SignInAttempt.created_at < clock.now() - 2 * LASTS))


def nothing_to_choose() -> SignInProblem:
    """Return the problem to show if the provider returned no accounts."""
    return SignInProblem(
        _("The provider returned no accounts."),
        _("Sign in as the person who manages the account, and keep it selected in the dialog."),
    )


def account_of(session: Session, attempt: SignInAttempt) -> ChannelAccount | None:
    """Return the account being reconnected, or None."""
    return None if attempt.account_id is None else session.get(ChannelAccount, attempt.account_id)


def _place(attempt: SignInAttempt) -> Place:
    return Place(SignInAttempt.__tablename__, "candidates", attempt.workspace_id, attempt.uuid)


def _plain(candidate: Candidate) -> dict[str, Any]:
    found = asdict(candidate)
    if candidate.problem is not None:
        found["problem"] = [str(candidate.problem.sentence), str(candidate.problem.next_step)]
    return found | {name: str(found[name]) for name in ("external_id", "name", "handle", "detail", "moves")}


def _candidate(found: dict[str, Any]) -> Candidate:
    problem = found.pop("problem")
    return Candidate(**found, problem=None if problem is None else SignInProblem(*problem))
