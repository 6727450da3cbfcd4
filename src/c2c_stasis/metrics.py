"""Figures of a running service, as Prometheus reads them: the one place where they are named and explained.

Counters and histograms are told what happens, which takes about a microsecond; gauges are asked when somebody reads. No label
holds a number, a name, an id or anything else that a stranger chose: what each may be is a short list.

A new figure: one attribute of `Metrics`, and one line in `docs/metrics.md`, which a test holds to the code.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of the text, for what nobody asks: when each counter began

Observed = Histogram
"""What takes one observation after the other."""

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_MACHINE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)  # seconds
_NETWORK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PEOPLE = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
_TALK = (10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 14_400.0)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 500)  # records
_SCORE = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.3)
_LOSS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)


class Counted(Collector):
    """Counters that somebody else keeps, by one label, and that are asked for when somebody reads."""

    def __init__(self, name: str, documentation: str, label: str) -> None:
        self._described = (name, documentation, None, [label])
        self.read: Callable[[], Mapping[str, float]] = dict

    @property
    def family(self) -> CounterMetricFamily:
        """The counters as they are now."""
        found = CounterMetricFamily(*self._described)
        for value, count in self.read().items():
            found.add_metric([value], count)
        return found

    def collect(self) -> Iterable[CounterMetricFamily]:
        """For the registry."""
        return [self.family]


class Metrics:
    """All figures of one service; each has its own, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        # calls
        self.calls_accepted = Counter(
            "c2c_calls_accepted",
            "Calls that were accepted, by the kind of their destination",
            ["kind"],
            registry=registry,
        )
        self.decisions = Counter(
            "c2c_policy_decisions",
            "Requests for calls that the policy let through or refused, by the rule that decided",
            ["rule"],
            registry=registry,
        )
        self.calls_ended = Counter(
            "c2c_calls_ended", "Calls that are over, by outcome and reason", ["outcome", "reason"], registry=registry
        )
        self.calls_live = Gauge("c2c_calls_live", "Calls that live now", registry=registry)
        self.legs_ended = Counter(
            "c2c_legs_ended", "Legs that are over, by side and outcome", ["side", "outcome"], registry=registry
        )
        self.accept_seconds = Histogram(
            "c2c_call_accept_seconds",
            "From the request for a call to its 202",
            buckets=_MACHINE,
            registry=registry,
        )
        self.setup_seconds = Histogram(
            "c2c_call_setup_seconds",
            "What machines and networks take on the way of a call, by step",
            ["step"],
            buckets=_NETWORK,
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "c2c_call_answer_seconds",
            "How long people take to answer, from the INVITE, by side",
            ["side"],
            buckets=_PEOPLE,
            registry=registry,
        )
        self.talk_seconds = Histogram(
            "c2c_call_talk_seconds",
            "How long both sides talked",
            buckets=_TALK,
            registry=registry,
        )
        self.score = Histogram(
            "c2c_leg_opinion_score",
            "Mean opinion score of joined legs, 1 to 4.5",
            ["leg"],
            buckets=_SCORE,
            registry=registry,
        )
        self.loss = Histogram(
            "c2c_leg_packet_loss_ratio",
            "Lost packets of joined legs, 0 to 1",
            ["leg"],
            buckets=_LOSS,
            registry=registry,
        )
        # Asterisk
        self.ari_seconds = Histogram(
            "c2c_ari_request_seconds",
            "Requests to Asterisk, answered or not, by operation",
            ["operation"],
            buckets=_MACHINE,
            registry=registry,
        )
        self.ari_errors = Counter(
            "c2c_ari_errors",
            "Requests that Asterisk refused, by operation and status; `none` is no answer",
            ["operation", "status"],
            registry=registry,
        )
        self.ari_connected = Gauge(
            "c2c_ari_connected", "1 while events of Asterisk are heard and requests answered", registry=registry
        )
        self.ari_connections = Counter(
            "c2c_ari_connections", "Connections to Asterisk that came about", registry=registry
        )
        self.ari_losses = Counter(
            "c2c_ari_connections_lost", "Connections to Asterisk that got lost", registry=registry
        )
        self.ari_silent = Gauge(
            "c2c_ari_silent",
            "1 while Asterisk has answered none of the latest requests, so that no new calls are taken",
            registry=registry,
        )
        self.ari_pulses_missed = Counter(
            "c2c_ari_pulses_missed",
            "Events of our own, sent round through Asterisk, that did not come back",
            registry=registry,
        )
        # the database
        self.batch_records = Histogram(
            "c2c_store_batch_records", "Pieces of work in one transaction", buckets=_BATCH, registry=registry
        )
        self.commit_seconds = Histogram(
            "c2c_store_commit_seconds",
            "Transactions, from handing them to the writing thread to the commit",
            buckets=_MACHINE,
            registry=registry,
        )
        self.store_waiting = Gauge("c2c_store_waiting", "Pieces of work that wait to be written", registry=registry)
        self.store_failing = Gauge("c2c_store_failing", "1 while the database cannot be written", registry=registry)
        # HTTP
        self.http_requests = Counter(
            "c2c_http_requests",
            "Answered requests, by route and status; `other` is no route of ours",
            ["method", "route", "status"],
            registry=registry,
        )
        self.http_seconds = Histogram(
            "c2c_http_request_seconds",
            "Answered requests that are no streams, by route",
            ["method", "route"],
            buckets=_MACHINE,
            registry=registry,
        )
        self.http_connections = Gauge("c2c_http_connections", "Open connections of clients", registry=registry)
        self.http_in_progress = Gauge(
            "c2c_http_requests_in_progress", "Requests that are being answered", registry=registry
        )
        self.event_streams = Gauge("c2c_event_streams", "Clients that follow events", registry=registry)
        self.event_streams_ended = Counter(
            "c2c_event_streams_ended",
            "Event streams that are over, by the reason",
            ["reason"],
            registry=registry,
        )
        # webhooks
        self.webhook_results = Counted(
            "c2c_webhook_results", "Attempts to deliver webhooks, and what was given up, by result", "result"
        )
        registry.register(self.webhook_results)
        self.webhooks_waiting = Gauge(
            "c2c_webhooks_waiting", "Webhooks that are still to be delivered, counted every 15 s", registry=registry
        )
        # the process
        self.log_lines_lost = Counted(
            "c2c_log_lines_lost", "Lines that were not written, of the log of the service and of the ARI log", "log"
        )
        registry.register(self.log_lines_lost)
        self.loop_lag = Histogram(
            "c2c_loop_lag_seconds",
            "How much later than asked the event loop came back, four times a second",
            buckets=_MACHINE,
            registry=registry,
        )
        about = Gauge("c2c_build_info", "Always 1; the version of the service", ["version"], registry=registry)
        about.labels(version("c2c-stasis")).set(1)
        ProcessCollector(registry=registry)

    def text(self) -> bytes:
        """All figures as they are now, in the text format of Prometheus."""
        return generate_latest(self.registry)


def ask(gauge: Gauge, read: Callable[[], float]) -> None:
    """Let a gauge ask for its value whenever it is read; nothing has to be told on the way of a call."""
    gauge.set_function(read)
