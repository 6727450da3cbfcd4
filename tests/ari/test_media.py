"""The quality of a leg, as Asterisk 22.10.1 reported it in its last event."""

from typing import Any

import pytest

from c2c_stasis.ari.media import read_quality
from c2c_stasis.ari.translate import translate
from c2c_stasis.call.model import Quality
from c2c_stasis.call.signals import LegEnded
from tests.call.stories import A1

# Of a phone that lost 5 % and delayed packets by up to 90 ms; the far end's own report shows what ringback did to its clock.
REPORT = (
    "ssrc=977624806;themssrc=652960513;lp=21;rxjitter=0.000500;rxcount=482;txjitter=0.027125;txcount=502;rlp=0;"
    "rtt=0.000335;rxmes=88.084081;txmes=86.138662"
)
JITTER = (
    "minrxjitter=000.004625;maxrxjitter=000.029125;avgrxjitter=000.020347;stdevrxjitter=000.005236;"
    "mintxjitter=000.000000;maxtxjitter=074.865000;avgtxjitter=007.087727;stdevtxjitter=021.449767;"
)
BEFORE_THE_FIRST_REPORT = (
    "ssrc=1644577733;themssrc=162083811;lp=0;rxjitter=1.946625;rxcount=149;txjitter=0.008750;txcount=152;rlp=0;"
    "rtt=0.000000;rxmes=32.275842;txmes=0.000000"
)


def destroyed(**variables: str) -> dict[str, Any]:
    channel = {"id": A1, "state": "Up", "channelvars": variables}
    return {"type": "ChannelDestroyed", "cause": 16, "cause_txt": "Normal Clearing", "channel": channel}


def test_what_asterisk_received_counts_and_not_what_the_far_end_says() -> None:
    quality = read_quality({"RTPAUDIOQOS": REPORT, "RTPAUDIOQOSJITTER": JITTER})
    assert quality == Quality(jitter=0.020347, loss=21 / 503, rtt=0.000335)


def test_the_last_event_of_a_channel_carries_it() -> None:
    event = destroyed(RTPAUDIOQOS=REPORT, RTPAUDIOQOSJITTER=JITTER)
    assert translate(event) == (A1, LegEnded(A1, 16, None, Quality(0.020347, 21 / 503, 0.000335)))


def test_before_the_first_report_loss_and_delay_are_not_known() -> None:
    assert read_quality({"RTPAUDIOQOS": BEFORE_THE_FIRST_REPORT, "RTPAUDIOQOSJITTER": ""}) == Quality(0.00875)


@pytest.mark.parametrize(
    "variables",
    [
        None,
        {},
        {"RTPAUDIOQOS": ""},
        {"RTPAUDIOQOS": REPORT.replace("rxcount=482", "rxcount=0")},
        {"RTPAUDIOQOS": "rxcount=many;lp=0"},
        {"RTPAUDIOQOS": "rxcount=nan;lp=0"},
        {"RTPAUDIOQOS": 7},
        {"RTPAUDIOQOS": REPORT, "RTPAUDIOQOSJITTER": "avgrxjitter=1e308"},
        {"RTPAUDIOQOS": REPORT, "RTPAUDIOQOSJITTER": "avgrxjitter=-0.1"},
        {"RTPAUDIOQOS": BEFORE_THE_FIRST_REPORT.replace("rxcount=149", "rxcount=49")},
        "RTPAUDIOQOS",
    ],
)
def test_without_media_or_sense_there_is_no_quality_and_the_end_is_told_all_the_same(variables: Any) -> None:
    assert read_quality(variables) is None
    event = destroyed()
    event["channel"]["channelvars"] = variables
    assert translate(event) == (A1, LegEnded(A1, 16))


def test_a_report_that_nobody_can_have_measured_makes_no_figure_that_nobody_can_use() -> None:
    report = (
        REPORT.replace("lp=21", "lp=1e308").replace("rxcount=482", "rxcount=1e308").replace("rtt=0.000335", "rtt=1e308")
    )
    assert read_quality({"RTPAUDIOQOS": report, "RTPAUDIOQOSJITTER": JITTER}) == Quality(0.020347, 0.5, None)


def test_duplicates_do_not_make_a_negative_loss() -> None:
    quality = read_quality({"RTPAUDIOQOS": REPORT.replace("lp=21", "lp=-3")})
    assert quality is not None
    assert quality.loss == 0
