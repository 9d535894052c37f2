"""Errors about teams."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from host.core.errors import ForbiddenError, InvalidError, NotFoundError


class TeamNotFoundError(NotFoundError):
    """The workspace has no such team."""

    code = "team_not_found"
    title = _l("Team not found")
    default_sentence = _l("This team does not exist in this workspace. It may have been deleted.")
    default_next_step = _l("Reload the page and choose another.")
    program_step = _l("List the teams, and choose one of them.")


class TeamNameError(InvalidError):
    """The name of a team is empty, too long or taken."""

    code = "team_name"
    title = _l("Choose another team name")
    default_sentence = _l("A team needs a name of up to 40 characters. Nothing was saved.")
    default_next_step = _l("Choose another name.")


class TeamAccountError(InvalidError):
    """An account of a team is not in its workspace."""

    code = "team_account"
    title = _l("Account not found")
    default_sentence = _l("One of these accounts is not in this workspace. Nothing was saved.")
    default_next_step = _l("Reload the page and choose again.")
    program_step = _l("List the accounts, and choose from them.")


class TeamKeepersError(ForbiddenError):
    """Only leads of the workspace or of the team may change its members."""

    code = "team_keepers"
    default_sentence = _l("Only leads of the workspace or of this team can change its members.")
    default_next_step = _l("Ask one of them.")
