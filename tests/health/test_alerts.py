"""Alert rules, dashboard, runbook and the list of metrics say what a running desk exposes, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from host.core import db
from host.health import problems
from host.models.health import Kind
from host.process.serving import HostApplication
from host.webhooks import health
from tests.addons.conftest import configuration
from tests.health import pretend

ROOT = Path(__file__).resolve().parents[2]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
PARTS = {part.partition("\n")[0]: part.partition("\n")[2] for part in RUNBOOK.split("\n### ")[1:]}
OF_PROMETHEUS = {"up", "ALERTS"}
"""What Prometheus itself adds."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
TOKEN = "for-prometheus-alone"


@pytest.fixture
def exposed(database: db.Database, data: Path) -> set[str]:
    """Return the names of what a running desk exposes."""
    made = HostApplication(configuration(database, data, LOBBY_METRICS_TOKEN=TOKEN))
    made.start()
    db.write(pretend.process, "worker", Kind.WORKER)
    answer = Client(made).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    made.close()
    return {
        family.name + suffix
        for family in text_string_to_metric_families(answer.text)
        for suffix in SUFFIXES[family.type]
    }


def named(expression: str) -> set[str]:
    """Return the names of the metrics in a PromQL expression.

    :raises ValueError: if it is none.
    """
    found: set[str] = set()

    def look(part: Any) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            found.add(part.name)
        elif isinstance(part, promql_parser.MatrixSelector):
            found.add(part.vector_selector.name)
        return True

    promql_parser.walk(promql_parser.parse(expression.replace("$__rate_interval", "5m")), look)
    return found


def words(text: str) -> str:
    """Return *text* without the marks of a page, in one line."""
    return re.sub(r"\s+", " ", text.replace("`", ""))


def test_names_are_found_in_expressions() -> None:
    expression = 'rate(a_total[5m]) > 0.05 * max without (x) (b) unless c{d="e"} offset 1m'
    assert named(expression) == {"a_total", "b", "c"}
    with pytest.raises(ValueError, match="unclosed"):
        named("rate(a_total[5m]")


def test_every_rule_asks_for_what_a_desk_exposes(exposed: set[str]) -> None:
    asked = set().union(*(named(rule["expr"]) for rule in RULES))
    assert asked - exposed - OF_PROMETHEUS == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_rule_says_what_it_is_about(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["alert"].startswith("Lobby")
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook_url"}
    assert told["summary"].endswith(".")
    assert told["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_the_runbook_has_each_alert_and_no_other() -> None:
    alerts = [rule["alert"] for rule in RULES]
    assert len(set(alerts)) == len(alerts)
    assert sorted(PARTS) == sorted(alerts)


@pytest.mark.parametrize("alert", PARTS)
def test_each_part_of_the_runbook_says_all_five_things(alert: str) -> None:
    said = re.findall(r"^- \*\*([A-Z][a-z ]+):\*\* \S", PARTS[alert], re.MULTILINE)
    assert said == ["Means", "Customers notice", "Look at", "Do", "Over"]


def test_health_says_what_the_runbook_says() -> None:
    told = {**problems.ADVICE, health.LATE_ALERT: health.LATE_ADVICE}
    assert set(told) <= set(PARTS)
    assert [alert for alert, advice in told.items() if words(str(advice)) not in words(PARTS[alert])] == []


def test_the_dashboard_asks_for_what_a_desk_exposes_and_leaves_nothing_out(exposed: set[str]) -> None:
    asked = set().union(*(named(one["expr"]) for panel in PANELS for one in panel["targets"]))
    assert asked - exposed - OF_PROMETHEUS == set()
    shown = asked | {name.removesuffix("_bucket") + "_sum" for name in asked}
    shown |= {name.removesuffix("_bucket") + "_count" for name in asked}
    assert {name for name in exposed if name.startswith("lobby_")} - shown == set()


def test_the_dashboard_can_be_imported_anywhere() -> None:
    assert isinstance(DASHBOARD["schemaVersion"], int)
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    panels = DASHBOARD["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        for one in panel["targets"]:
            assert 'job="$job"' in one["expr"] or "ALERTS{" in one["expr"]
            assert "instance=" not in one["expr"], "no machine is named"
            assert not re.search(r"\d{1,3}(\.\d{1,3}){3}|localhost", one["expr"])


def test_no_panel_of_the_dashboard_lies_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


def test_operate_lists_every_metric_and_no_other(exposed: set[str]) -> None:
    text = (ROOT / "docs" / "operate.md").read_text()
    table = text.partition("| metric | means |")[2].partition("\n\n")[0]
    listed = set(
        re.findall(r"`(lobby_\w+)", "\n".join(line.split("|")[1] for line in table.splitlines() if line))
    )
    own = {name for name in exposed if name.startswith("lobby_")}
    histograms = {name.removesuffix("_bucket") for name in own if name.endswith("_bucket")}
    counted = {name + suffix for name in histograms for suffix in SUFFIXES["histogram"]}
    assert listed == own - counted | histograms
