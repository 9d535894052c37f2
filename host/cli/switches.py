"""Apply to a command the features an admin disabled."""

from __future__ import annotations

import click

from host.core.config import Config
from host.features import registry
from host.features.feature import Feature
from host.users import desk_settings


def follow(configuration: Config) -> None:
    """Disable the features an admin disabled on the addons page, unless the environment decides them.

    :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer, or has no tables.
    """
    registry.switch_off(desk_settings.effective(configuration)[0].features_off)


def check(feature: Feature, configuration: Config) -> None:
    """Refuse a command of a disabled feature.

    :raises click.ClickException: which says who can enable it.
    """
    follow(configuration)
    if feature.switch is not None and not registry.is_on(feature.name):
        title = feature.switch.title
        raise click.ClickException(f"{title} is turned off. An admin can turn it on under Admin, Addons.")
