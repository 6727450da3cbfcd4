"""The figures: what they are called, that Prometheus can read them, and that no label is a stranger's choice."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from c2c_stasis.metrics import Metrics, ask

PAGE = Path(__file__).parents[1] / "docs/metrics.md"
OF_THE_PROCESS = {
    *("process_virtual_memory_bytes", "process_resident_memory_bytes", "process_start_time_seconds"),
    *("process_cpu_seconds", "process_open_fds", "process_max_fds"),
}
LABELS = {
    "log",
    "result",
    "kind",
    "rule",
    "outcome",
    "reason",
    "side",
    "step",
    "leg",
    "operation",
    "status",
    "method",
    "route",
    "version",
    "le",
}


def families() -> dict[str, str]:
    """The names of all figures, with their types."""
    text = Metrics().text().decode()
    return {family.name: family.type for family in text_string_to_metric_families(text)}


def test_prometheus_reads_them_all() -> None:
    found = families()
    assert found.keys() >= OF_THE_PROCESS
    assert all(name.startswith("c2c_") for name in found.keys() - OF_THE_PROCESS)
    assert {found["c2c_calls_live"], found["c2c_calls_ended"], found["c2c_loop_lag_seconds"]} == {
        *("gauge", "counter", "histogram")
    }


def test_the_page_tells_of_every_figure_and_of_no_other() -> None:
    told = set(re.findall(r"^\| `(c2c_\w+)", PAGE.read_text(), re.MULTILINE))
    counters = {f"{name}_total" for name, kind in families().items() if kind == "counter"}
    others = {name for name, kind in families().items() if kind != "counter"}
    assert told == {name for name in counters | others if name.startswith("c2c_")}


def test_no_label_is_anything_that_a_stranger_could_choose() -> None:
    metrics = Metrics()
    for figure in vars(metrics).values():
        assert set(getattr(figure, "_labelnames", ())) <= LABELS


def test_a_gauge_is_asked_when_it_is_read() -> None:
    metrics, waiting = Metrics(), [1, 2]
    ask(metrics.store_waiting, lambda: len(waiting))
    waiting.append(3)
    assert b"\nc2c_store_waiting 3.0\n" in metrics.text()


def test_two_services_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.calls_accepted.labels("external").inc()
    assert b'c2c_calls_accepted_total{kind="external"} 1.0' in one.text()
    assert b'kind="external"' not in other.text()


def test_counts_that_somebody_else_keeps_are_asked_for() -> None:
    metrics = Metrics()
    assert b"c2c_webhook_results_total{" not in metrics.text()
    metrics.webhook_results.read = lambda: {"delivered": 3, "given_up": 1}
    assert b'\nc2c_webhook_results_total{result="delivered"} 3.0\n' in metrics.text()


def test_a_label_that_is_forgotten_is_a_fault() -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics().calls_ended.labels("completed")
