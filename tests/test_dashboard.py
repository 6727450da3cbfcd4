"""The dashboard and the alert rules ask for figures that exist, with labels that they have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Counter, Gauge, Histogram
from ruamel.yaml import YAML

from c2c_stasis.metrics import Counted, Metrics

DOCS = Path(__file__).parents[1] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana.json").read_text())
RULES: list[dict[str, Any]] = YAML(typ="safe").load(DOCS / "alerts.yml")["groups"][0]["rules"]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS += [rule["expr"] for rule in RULES]
OF_PROMETHEUS = {"up"}  # whether a scrape came about


def series() -> dict[str, set[str]]:
    """The names of everything that can be asked for, with its labels."""
    found: dict[str, set[str]] = {name: set() for name in OF_PROMETHEUS}
    for figure in vars(Metrics()).values():
        match figure:
            case Counter():
                found[f"{figure._name}_total"] = set(figure._labelnames)
            case Gauge():
                found[figure._name] = set(figure._labelnames)
            case Histogram():
                for end in ("bucket", "sum", "count"):
                    found[f"{figure._name}_{end}"] = {*figure._labelnames, "le"}
            case Counted():
                found[f"{figure.family.name}_total"] = {"result"}
    process = re.findall(r"^# TYPE (process_\w+) ", Metrics().text().decode(), re.MULTILINE)
    return found | {name: set() for name in process}


SERIES = series()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_what_exists(expression: str) -> None:
    named = re.findall(r"\b(?:c2c_|process_)\w+|\bup\b", expression)
    assert named
    assert set(named) <= SERIES.keys()
    known = set().union(*(SERIES[name] for name in named)) | {"job"}
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    matched = {label for group in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)\s*=", group)}
    assert grouped | matched <= known


def test_every_figure_of_a_call_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    kinds = {re.sub(r"_(bucket|sum|count)$", "", name) for name in SERIES if name.startswith("c2c_")}
    assert {name for name in kinds if name not in shown} <= {"c2c_call_talk_seconds", "c2c_ari_connections_total"}


def test_every_panel_has_its_own_number_and_place() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)


def test_every_rule_says_how_urgent_it_is_and_what_it_means() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_reasons_that_a_rule_names_are_those_of_the_api() -> None:
    from c2c_stasis.call.model import Reason

    named = {
        word for rule in RULES for words in re.findall(r'reason=~"([^"]+)"', rule["expr"]) for word in words.split("|")
    }
    assert named
    assert named <= set(Reason)
