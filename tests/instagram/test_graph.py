"""The client: usage headers, both envelopes of errors, and the rules of the addon's own code."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from host.addons.package import imports, manifest
from host.sdk.secrets import Secret
from tests.architecture.test_layers import imported, modules
from tests.instagram.world import ADDON, Addon
from tools.structure import circles

PACKAGE = "addons.instagram.instagram"
LAYERS = (
    ("answers", "capabilities", "config", "dashboard", "values"),
    ("graph", "models", "permissions"),
    ("accounts", "errors"),
    ("connect", "posts", "restrictions", "webhook"),
    ("history", "outgoing", "pace", "rights", "rules"),
    ("diagnose", "monitoring", "sending"),
    ("card", "customers", "messenger_profile", "overview", "policy", "routing"),
    ("channel", "comments"),
    ("addon",),
)
"""The addon's modules and packages, from the bottom up, as in its README: each imports those below it."""


def imports_within() -> dict[str, set[str]]:
    """Return each module of the addon with the modules of the addon it imports, by their names within it."""
    paths = dict(modules(PACKAGE.replace(".", "/")))

    def known(module: str) -> Iterator[str]:
        for _, name in imported(module, paths[module]):
            if name in paths and name not in {PACKAGE, module}:
                yield name.removeprefix(f"{PACKAGE}.")

    return {name.removeprefix(f"{PACKAGE}."): set(known(name)) for name in paths if name != PACKAGE}


@pytest.mark.parametrize(
    ("headers", "percent", "seconds", "of_app"),
    [
        ({}, 0, None, 0),
        ({"X-App-Usage": '{"call_count":28,"total_time":25,"total_cputime":25}'}, 28, None, 28),
        (
            {"X-Business-Use-Case-Usage": '{"1":[{"call_count":3,"estimated_time_to_regain_access":5}]}'},
            3,
            300,
            0,
        ),
        (
            {
                "X-App-Usage": '{"total_time":97}',
                "X-Business-Use-Case-Usage": '{"1":[{"call_count":120},'
                '{"estimated_time_to_regain_access":2}],'
                '"2":[{"estimated_time_to_regain_access":9}]}',
            },
            120,
            540,
            97,
        ),
        ({"Retry-After": "30"}, 0, 30, 0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0, None, 0),
        ({"X-App-Usage": "not json", "X-Business-Use-Case-Usage": "[1]"}, 0, None, 0),
        ({"X-App-Usage": '{"call_count":"28","total_time":null}'}, 0, None, 0),
        ({"X-Business-Use-Case-Usage": '{"1":{"call_count":3},"2":[7],"3":null}'}, 0, None, 0),
        ({"X-App-Usage": '{"call_count":NaN,"total_time":-5}'}, 0, None, 0),
        ({"X-App-Usage": "[" * 10_000}, 0, None, 0),
    ],
)
def test_usage_headers(
    ig: Addon, headers: dict[str, str], percent: int, seconds: float | None, of_app: int
) -> None:
    assert ig.graph.read_usage(headers) == ig.graph.Usage(percent, seconds, of_app)


@pytest.mark.parametrize(
    ("body", "status", "code", "subcode"),
    [
        ('{"error":{"message":"a","code":10,"error_subcode":2534022}}', 400, 10, 2534022),
        ('{"error":{"message":"a","type":"IGApiException","code":"190"}}', 403, 190, None),
        ('{"error":{"message":"a","code":10}}', 200, 10, None),
        ('{"error":{"code":-1}}', 500, -1, None),
        ('{"error":{"code":true}}', 400, None, None),
        ('{"error":"text"}', 400, None, None),
        ('{"error_type":"OAuthException","code":400,"error_message":"used"}', 400, 400, None),
        ("", 502, None, None),
        ("<html>", 404, None, None),
    ],
)
def test_every_envelope_of_an_error(ig: Addon, body: str, status: int, code: object, subcode: object) -> None:
    from host.sdk.http import Response

    graph = ig.graph.Graph(ig.config.Flavour.PAGE, Secret("EAA"), Secret("s"))
    with pytest.raises(ig.graph.GraphError) as raised:
        graph._read(Response(status, {}, body.encode()), ig.graph.Node)
    error: Any = raised.value
    assert (error.code, error.subcode, error.status, error.sent) == (code, subcode, status, True)
    assert error.quote


def test_the_addresses_follow_the_settings(ig: Addon) -> None:
    from host.sdk import settings

    assert ig.config.graph_url(ig.config.Flavour.PAGE) == "https://graph.facebook.com/v26.0"
    assert ig.config.graph_url(ig.config.Flavour.LOGIN) == "https://graph.instagram.com/v26.0"
    assert ig.config.graph_hosts() == {"graph.facebook.com", "graph.instagram.com", "api.instagram.com"}
    settings.provide(
        "instagram",
        {**ig.defaults, "graph_facebook_url": "https://graph.example.com/", "graph_version": "v30.0"},
    )
    assert ig.config.graph_url(ig.config.Flavour.PAGE) == "https://graph.example.com/v30.0"
    assert "graph.example.com" in ig.config.graph_hosts()


def test_the_manifest_is_one_the_host_takes(ig: Addon) -> None:
    found = manifest.read_manifest(ADDON)
    assert manifest.fit_problems(found) == []
    assert set(ig.models.Base.metadata.tables) == set(found.declares.tables)
    assert [job.name for job in ig.addon.register_jobs()] == list(found.declares.jobs)
    callbacks = ["deauthorize", "deletion"]
    webhooks = [route.path for route in ig.addon.register_webhook_routes()]
    assert [*callbacks, *webhooks] == list(found.declares.routes)


def test_the_addon_imports_only_what_it_may(ig: Addon) -> None:
    assert imports.check_folder(manifest.read_manifest(ADDON), ADDON) == []


def test_every_hook_it_implements_is_in_addon_py_and_nothing_else_is(ig: Addon) -> None:
    tree = ast.parse((ADDON / "instagram" / "addon.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert all(node.decorator_list for node in functions)
    assert not [node for node in tree.body if isinstance(node, ast.ClassDef)]


def test_settings_are_used(ig: Addon) -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ADDON / "instagram").rglob("*.py"))
    for name in tomllib.loads((ADDON / "addon.toml").read_text(encoding="utf-8"))["settings"]:
        assert name in source, name


def test_the_whole_addon_passes_the_hosts_collection(ig: Addon) -> None:
    from host.addons.running import collect, contributions

    manager = collect.new_manager()
    collect.register(manager, "instagram", ig.release.plugin)
    found = collect.collect(manager, ig.release.manifest, ADDON)
    assert [adapter.key for adapter in found.of(contributions.CHANNELS)] == [
        "instagram",
        "instagram-comments",
    ]
    assert len(found.of(contributions.ADMIN_PAGES)) == 1
    assert len(found.of(contributions.MIGRATIONS)) == 1


def test_its_modules_import_only_what_is_below_them() -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    found = imports_within()
    assert {name.partition(".")[0] for name in found} == set(level)
    upward = [
        f"{module} imports {other}"
        for module, others in found.items()
        for other in others
        if (ours := module.partition(".")[0]) != (theirs := other.partition(".")[0])
        and level[theirs] >= level[ours]
    ]
    assert upward == []
    assert found["webhook.events"] >= {"webhook.envelopes", "values"}, "it sees imports within and across"


def test_no_modules_of_it_import_each_other() -> None:
    assert circles(imports_within()) == []
    assert circles({"a": {"b"}, "b": {"a"}}) == [["a", "b"]]


def pages_by_module() -> dict[str, list[str]]:
    """Return the modules that name pages of Meta's documentation, each with its pages."""
    folder = ADDON / "instagram"
    found = {}
    for path in sorted([*folder.rglob("*.py"), folder / "errors.toml"]):
        named = set(re.findall(r"\b(?:docs|documentation)/[a-z_/-]+", path.read_text(encoding="utf-8")))
        pages = sorted(page for page in named if not page.startswith("docs/architecture"))
        if pages:
            found[path.relative_to(folder).as_posix()] = pages
    return found


def test_every_page_of_metas_that_is_named_is_listed() -> None:
    listed = (ADDON.parents[1] / "docs" / "meta.md").read_text(encoding="utf-8")
    named = {page for pages in pages_by_module().values() for page in pages}
    assert len(named) > 8
    assert {page for page in named if f"`{page}`" not in listed} == set()


def test_the_readme_names_the_pages_of_each_module() -> None:
    _, section = (ADDON / "README.md").read_text(encoding="utf-8").split("## Meta's documentation, by module")
    shown = {
        module: re.findall("`([^`]+)`", pages)
        for module, pages in re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
    }
    assert shown == pages_by_module()
