"""Fetch an account's approved templates from its provider, cached for a short time."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from flask_babel import lazy_gettext as _l

from host.core import clock
from host.core.errors import LobbyError, NotFoundError
from host.sdk.channel import AccountRef, ApprovedPage, ApprovedTemplate, ChannelAdapter, ProviderProblem
from host.sdk.i18n import noop
from host.web.languages import gettext

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT = timedelta(minutes=2)
"""How long a page of templates is cached."""
REFUSED = timedelta(seconds=15)
"""How long a problem is cached, so that opening the list again and again doesn't use up a limit."""
MOST = 200
"""Maximum number of cached pages."""
LONGEST_CURSOR = 1000
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


_Key = tuple[int, str]
_Cached = tuple[datetime, ApprovedPage | ProviderProblem]
_lock = threading.Lock()
_pages: OrderedDict[_Key, _Cached] = OrderedDict()
_asking = tuple(threading.Lock() for _ in range(8))
"""A page is requested once at a time, however many people wait for it."""


def page(adapter: ChannelAdapter, account: AccountRef, after: str = "") -> ApprovedPage:
    """Return a page of the account's templates, from the cache or from the provider.

    Call it outside any transaction.

    :raises NotFoundError: if the channel has no templates, or *after* is not a cursor.
    :raises TemplatesNotListedError: with the provider's reason.
    """
    valid = len(after) <= LONGEST_CURSOR and (after.isprintable() or not after)
    if not adapter.capabilities.approved_templates or not valid:
        raise NotFoundError()
    key = account.id, after
    with _asking[hash(key) % len(_asking)]:
        found = _recall(key)
        if found is None:
            found = _asked(account, lambda: adapter.approved_templates(account, after), ApprovedPage)
            _remember(key, found)
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
    for template in _cached(account.id):
        if template.external_id == external_id:
            return template
    found = _asked(account, lambda: adapter.find_approved_template(account, external_id), ApprovedTemplate)
    if isinstance(found, ProviderProblem):
        raise _error(found)
    return found


def forget_pages() -> None:
    """Clear the cache."""
    with _lock:
        _pages.clear()


def _asked(account: AccountRef, ask: Callable[[], object], wanted: type[T]) -> T | ProviderProblem:
    try:
        found = ask()
    except Exception:
        log.exception("the adapter of %s raised while loading templates", account.channel)
        return FAILED
    return found if isinstance(found, wanted | ProviderProblem) else FAILED


def _error(problem: ProviderProblem) -> TemplatesNotListedError:
    next_step = gettext(problem.next_step) if problem.next_step else ""
    return TemplatesNotListedError(gettext(problem.sentence), next_step=next_step)


def _recall(key: _Key) -> ApprovedPage | ProviderProblem | None:
    with _lock:
        found = _pages.get(key)
    return None if found is None or found[0] <= clock.now() else found[1]


def _remember(key: _Key, found: ApprovedPage | ProviderProblem) -> None:
    kept = REFUSED if isinstance(found, ProviderProblem) else KEPT
    with _lock:
        _pages[key] = clock.now() + kept, found
        _pages.move_to_end(key)
        while len(_pages) > MOST:
            _pages.popitem(last=False)


def _cached(account_id: int) -> list[ApprovedTemplate]:
    now = clock.now()
    with _lock:
        pages = [
            found for (id_, _after), (until, found) in _pages.items() if id_ == account_id and until > now
        ]
    return [template for one in pages if isinstance(one, ApprovedPage) for template in one.templates]
