"""``lobby addon``, for admins: install, activate, roll back, export and remove."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from host.addons import lifecycle, records, uninstall
from host.addons.migrating import apart
from host.addons.package.failures import AddonError
from host.addons.records import Outcome
from host.cli.base import configured, prepare
from host.core import config, db
from host.core.config import Config


def _show(result: Outcome) -> None:
    for step in result.steps:
        click.echo(f"{step.result:8} {step.name} ({step.ms} ms) {step.detail}".rstrip())
    if result.error:
        click.echo(f"{result.error['sentence']} {result.error.get('database') or ''}".rstrip(), err=True)


@click.command("list")
@configured
def addon_list(_configuration: Config) -> None:
    """List installed addons."""
    for card in lifecycle.installed():
        click.echo(f"{card.slug}\t{card.version}\t{card.state}")


@click.command("install")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--downgrade", is_flag=True, help="Allow a version older than the installed one.")
@click.option("--takeover", is_flag=True, help="Allow a different publisher.")
@configured
def addon_install(configuration: Config, path: Path, downgrade: bool, takeover: bool) -> None:
    """Check an addon's zip and install it without activating it."""
    try:
        release = lifecycle.install_file(configuration, path, downgrade=downgrade, takeover=takeover)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"Installed {release.slug} {release.version}. Activate it with `lobby addon activate {release.slug}`."
    )


@click.command("activate")
@click.argument("slug")
@configured
def addon_activate(configuration: Config, slug: str) -> None:
    """Run an addon's migrations and turn it on. A running Lobby picks it up automatically."""
    try:
        result = lifecycle.activate(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    _show(result)
    if not result.ok:
        raise click.ClickException(f"{slug} was not activated. Nothing was changed.")


@click.command("deactivate")
@click.argument("slug")
@configured
def addon_deactivate(configuration: Config, slug: str) -> None:
    """Turn an addon off, even if Lobby can't start. All data is kept."""
    try:
        lifecycle.deactivate(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{slug} is inactive.")


@click.command("disable")
@click.argument("slug")
@click.option(
    "--offline",
    is_flag=True,
    help="Only change the database, and stop a migration that blocks it. Use it if nothing else works.",
)
def addon_disable(slug: str, offline: bool) -> None:
    """Turn an addon off; with --offline, even if Lobby can't start at all."""
    try:
        configuration = config.load()
        if offline:
            if apart.end_running(configuration.data):
                click.echo("Stopped a migration of an addon that was running on this machine.")
            db.connect(configuration.database_url)
            records.switch_off(slug)
        else:
            prepare(configuration)
            lifecycle.deactivate(configuration, slug)
    except AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{slug} is inactive.")


@click.command("rollback")
@click.argument("slug")
@configured
def addon_roll_back(configuration: Config, slug: str) -> None:
    """Roll back to the previous release."""
    try:
        result = lifecycle.roll_back(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    _show(result)
    if not result.ok:
        raise click.ClickException(f"{slug} was not rolled back. Nothing was changed.")


@click.command("export")
@click.argument("slug")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@configured
def addon_export(_configuration: Config, slug: str, path: Path) -> None:
    """Export an addon's tables to the zip PATH, as JSON Lines."""
    try:
        with uninstall.export(slug) as found, path.open("xb") as file:
            shutil.copyfileobj(found, file)
    except FileExistsError as error:
        raise click.ClickException(f"{path} already exists.") from error
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error


@click.command("remove")
@click.argument("slug")
@click.option("--purge", is_flag=True, help="Also delete its tables. This can't be undone.")
@configured
def addon_remove(configuration: Config, slug: str, purge: bool) -> None:
    """Uninstall an inactive addon and keep its data."""
    try:
        if not purge:
            uninstall.remove(configuration, slug)
            click.echo(f"Removed {slug}. Its tables were kept.")
            return
        if click.prompt(f"Type {slug} to delete its data permanently") != slug:
            raise click.ClickException("Nothing was removed.")
        names = uninstall.purge(configuration, slug)
    except lifecycle.AddonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Removed {slug} and its tables: {', '.join(names) or 'none'}.")
