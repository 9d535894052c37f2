"""Having everything an addon contributes counted by :mod:`host.addons.watch`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from host.addons import watch
from host.addons.collect import Contribution
from host.sdk.channel import ChannelAdapter

METHODS = tuple(
    name for name, value in vars(ChannelAdapter).items() if callable(value) and not name.startswith("_")
)


def watched(found: Contribution) -> Contribution:
    """Return *found* with every function of it counted, under the addon's slug.

    An adapter's methods are wrapped on the object itself: it stays what it is for whoever asks for its class.
    """
    slug, count = found.slug, watch.of_process().watched
    for adapter in found.channels:
        for name in METHODS:
            with suppress(AttributeError, TypeError):  # an adapter without a __dict__ is used as it is
                setattr(adapter, name, count(slug, name, getattr(adapter, name)))
    return replace(
        found,
        webhooks=tuple(
            replace(
                route,
                authenticate=count(slug, "authenticate", route.authenticate),
                verify=None if route.verify is None else count(slug, "verify", route.verify),
            )
            for route in found.webhooks
        ),
        receivers=tuple(
            replace(one, start=count(slug, f"receiver {one.name}", one.start)) for one in found.receivers
        ),
        cards=tuple(
            replace(
                card,
                connect=count(slug, "connect", card.connect),
                status=count(slug, "card status", card.status),
                disconnect=count(slug, "disconnect", card.disconnect),
                actions=tuple(
                    replace(action, run=count(slug, f"action {action.name}", action.run))
                    for action in card.actions
                ),
            )
            for card in found.cards
        ),
        admin_page=None
        if found.admin_page is None
        else replace(found.admin_page, context=count(slug, "admin page", found.admin_page.context)),
        jobs=tuple(replace(job, run=count(slug, f"job {job.name}", job.run)) for job in found.jobs),
    )
