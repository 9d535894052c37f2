"""What features declare is there, and what there is is declared."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Blueprint

from host.core.db import Base
from host.features import registry
from host.features.feature import Feature, Job
from host.process import features

ROOT = Path(__file__).resolve().parents[2]


def strings() -> Iterator[tuple[Feature, str]]:
    for feature in registry.features():
        for part in (*feature.blueprints, *feature.views, *feature.routes):
            yield feature, part
        for part in (*feature.consumers.values(), *feature.commands.values(), *feature.names.values()):
            yield feature, part
        yield from ((feature, job.run) for job in feature.jobs)


@pytest.mark.parametrize(("feature", "part"), list(strings()), ids=lambda one: getattr(one, "package", one))
def test_each_part_is_there(feature: Feature, part: str) -> None:
    assert feature.load(part) is not None


def test_each_folder_with_a_declaration_is_listed_and_each_stands_in_one() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("host/**/feature.py")}
    assert {feature.package for feature in features.BUILT_IN} == found - {"host.features"}


def test_no_part_is_declared_twice() -> None:
    named = Counter(feature.place(part) for feature, part in strings())
    jobs = Counter(name for name, _run, _every in registry.jobs())
    assert [one for one, count in (named + jobs).items() if count > 1] == []


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "host").rglob("*.py")):
        if "starter" not in path.parts:
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), ast.parse(path.read_text())


def decorated(tree: ast.Module) -> set[str]:
    """Return what decorates the functions of a module, as ``bp`` or ``route``."""
    return {
        ast.unparse(one.func).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for one in node.decorator_list
        if isinstance(one, ast.Call)
    }


def test_every_blueprint_every_view_and_every_route_belongs_to_a_feature() -> None:
    """A module that nobody imports would be missed by no test of its own: it would just not be there."""
    list(registry.parts("views"))
    blueprints = [one for one in registry.parts("blueprints") if isinstance(one, Blueprint)]
    list(registry.parts("routes"))
    wrong = []
    for name, tree in modules():
        makes = any(
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "Blueprint"
            for node in tree.body
        )
        shown = decorated(tree) & {"bp", "route"}
        if (makes or shown) and name not in sys.modules:
            wrong.append(name)
        if makes and getattr(sys.modules.get(name), "bp", None) not in blueprints:
            wrong.append(f"{name}: its blueprint is not declared")
    assert wrong == []


def tables() -> dict[str, Feature]:
    """Return the owner of each table."""
    found: dict[str, Feature] = {}
    for feature in registry.features():
        for module in map(feature.load, feature.models):
            for model in vars(module).values():
                if (
                    isinstance(model, type)
                    and issubclass(model, Base)
                    and model.__module__ == module.__name__
                ):
                    assert model.__tablename__ not in found, f"{model.__tablename__} has two owners"
                    found[model.__tablename__] = feature
    return found


def test_every_table_has_an_owner() -> None:
    assert tables().keys() == Base.metadata.tables.keys()


def goes_with_a_workspace() -> set[str]:
    """Return the tables whose rows the database deletes with the row of their workspace."""
    found = {"workspaces"}
    while True:
        more = {
            name
            for name, table in Base.metadata.tables.items()
            for key in table.foreign_keys
            if key.ondelete == "CASCADE" and key.column.table.name in found
        }
        if more <= found:
            return found - {"workspaces"}
        found |= more


def test_what_the_database_does_not_delete_with_a_workspace_its_owner_does_or_it_is_the_desks() -> None:
    owners, gone = tables(), goes_with_a_workspace()
    wrong = []
    for name, owner in owners.items():
        removes = bool(owner.data) and hasattr(owner.load(owner.data), "remove_workspace")
        if name not in gone and name not in owner.of_desk and not removes:
            wrong.append(f"{name}: {owner.package} says nothing of it")
    assert wrong == []
    said = {(name, feature.package) for feature in registry.features() for name in feature.of_desk}
    assert {one for one in said if one[0] in gone} == set(), "the database deletes it"
    assert {one for one in said if getattr(owners.get(one[0]), "package", "") != one[1]} == set(), (
        "not theirs"
    )


def test_a_name_that_two_features_declare_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [Feature(f"host.{one}", sealed={"rows": ("secret",)}) for one in ("one", "other")]
    monkeypatch.setattr(registry, "_features", tuple(twice))
    with pytest.raises(ValueError, match=r"host\.other: sealed has 'rows' already"):
        registry.named("sealed")


def test_who_asks_before_there_are_any_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_features", ())
    with pytest.raises(registry.NotLoadedError, match=r"host\.process\.features"):
        registry.features()


def wants_the_directory(directory: object) -> object:
    return directory


def wants_nothing(most: int = 3) -> int:
    return most


def test_a_job_is_given_the_directory_only_if_it_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    package, _, module = __name__.rpartition(".")
    jobs = tuple(Job(one, f"{module}:{one}", 1.0) for one in ("wants_the_directory", "wants_nothing"))
    monkeypatch.setattr(registry, "_features", (Feature(package, jobs=jobs),))
    assert [run("the directory") for _name, run, _every in registry.jobs()] == ["the directory", 3]


def test_reading_the_declarations_imports_nothing_of_the_desk() -> None:
    code = "import sys, host.process.features; print(*(m for m in sys.modules if m.startswith('host.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if not name.endswith(".feature")}
    packages = {feature.package for feature in features.BUILT_IN} | {"host.automation"}
    assert loaded == packages | {
        "host.features",
        "host.features.hookspecs",
        "host.features.registry",
        "host.process",
        "host.process.features",
    }
