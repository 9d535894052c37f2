"""The tutorials for authors of addons name what there is: commands, kinds, and a workflow that can run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]

from host.authoring import scaffold
from host.cli.commands import main

SDK = Path(__file__).resolve().parents[2] / "docs/sdk"
TUTORIALS = ("first-channel", "first-panel")


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each `lobby` command in the code of a page."""
    code = "\n".join(re.findall(r"(?ms)^```(?:yaml)?\n(.*?)^```", text))
    found = re.findall(r"(?m)^(?:\s*- run: )?(?:\w+=\d )?lobby ([^#\n]+)", code)
    return [shlex.split(each) for each in found]


def parsed(arguments: list[str]) -> None:
    """Parse *arguments* as the command line does, without running anything."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        _name, following, arguments = command.resolve_command(context, arguments)
        assert following is not None
        command = following
    command.make_context("lobby", list(arguments), resilient_parsing=True)
    known = {name for each in command.params for name in each.opts}
    assert {each for each in arguments if each.startswith("--")} <= known


@pytest.mark.parametrize("name", TUTORIALS)
def test_every_command_exists(name: str) -> None:
    found = commands((SDK / f"{name}.md").read_text())
    assert ["addon", "check", "."] in found
    assert found[0][:2] == ["addon", "new"]
    assert found[0][-1] in scaffold.KINDS
    for arguments in found:
        parsed(arguments)


def test_the_workflow_checks_types_and_rules_and_builds() -> None:
    (block,) = re.findall(
        r"(?ms)^<!-- workflow -->\n```yaml\n(.*?)^```", (SDK / "first-panel.md").read_text()
    )
    workflow: dict[Any, Any] = yaml.safe_load(block)
    steps = workflow["jobs"]["check"]["steps"]
    assert [each["run"] for each in steps if "run" in each][1:] == [
        "mypy --strict .",
        "lobby addon check .",
        "lobby addon build . dist",
    ]
    assert all(("uses" in each) != ("run" in each) for each in steps)
