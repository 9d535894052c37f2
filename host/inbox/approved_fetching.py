"""Fetch an account's approved templates from its provider, cached for a short time."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from host.channels.listed_pages import ListedPages
from host.core.errors import LobbyError, NotFoundError
from host.sdk.channel import AccountRef, ApprovedPage, ApprovedTemplate, ChannelAdapter, ProviderProblem
from host.sdk.i18n import noop
from host.web.languages import gettext

LONGEST_ID = 500
FAILED = ProviderProblem(
    "addon_failed",
    noop("The addon of this channel failed while loading templates."),
    noop("Tell an admin."),
)


class TemplatesNotListedError(LobbyError):
    """The provider did not list the templates, or has no such template."""

    code = "templates_not_listed"
    status = 502
    title = _l("The templates couldn't be loaded")
    default_sentence = _l("The templates couldn't be loaded.")
    default_next_step = _l("Try again in a minute.")


class TemplateNotFoundError(NotFoundError):
    """The account has no approved template with that id."""

    code = "template_not_found"
    title = _l("Template not found")
    default_sentence = _l("This account has no such template. Nothing was sent.")
    default_next_step = _l("Choose another template.")
    program_step = _l("List the templates of the account.")


_pages = ListedPages(ApprovedPage, FAILED)


def page(adapter: ChannelAdapter, account: AccountRef, after: str = "") -> ApprovedPage:
    """Return a page of the account's templates, from the cache or from the provider.

    Call it outside any transaction.

    :raises NotFoundError: if the channel has no templates, or *after* is not a cursor.
    :raises TemplatesNotListedError: with the provider's reason.
    """
    if not adapter.capabilities.approved_templates:
        raise NotFoundError()
    found = _pages.page(account, after, lambda: adapter.approved_templates(account, after))
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def find(adapter: ChannelAdapter, account: AccountRef, external_id: str) -> ApprovedTemplate:
    """Return one of the account's templates, from a cached page or from the provider.

    Call it outside any transaction.

    :raises TemplateNotFoundError: if *external_id* is not an id, or the channel has no templates.
    :raises TemplatesNotListedError: with the provider's reason.
    """
    valid = 0 < len(external_id) <= LONGEST_ID and external_id.isprintable()
    if not adapter.capabilities.approved_templates or not valid:
        raise TemplateNotFoundError()
    for listed in _pages.cached(account.id):
        for template in listed.templates:
            if template.external_id == external_id:
                return template
    found = _pages.ask(
        account, lambda: adapter.find_approved_template(account, external_id), ApprovedTemplate
    )
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def forget_pages() -> None:
    """Clear the cache."""
    _pages.clear()


def _error(problem: ProviderProblem) -> TemplatesNotListedError:
    next_step = gettext(problem.next_step) if problem.next_step else ""
    return TemplatesNotListedError(gettext(problem.sentence), next_step=next_step)
