"""docs/webhooks.md holds: its examples accept what we sign, and nothing else."""

import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.directory.webhooks import DISABLED_EVENT, TEST_EVENT, WebhookEndpoint, new_secret
from c2c_stasis.ids import AccountId, WebhookId
from c2c_stasis.publish import lane, look_ups, places, poster, schedule
from c2c_stasis.publish.signature import headers_for
from c2c_stasis.store import webhooks
from tests.node import NODE

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text()
BODY = '{"id":"evt_x","type":"call.end","data":{"name":"Ünïcode"}}'.encode()
SECRET = new_secret()
ENDPOINT = WebhookEndpoint(WebhookId("we_x"), AccountId("acct_x"), "https://a.example/", "*", True, SECRET)
CASES = [
    pytest.param(BODY, 0.0, SECRET, True, id="genuine"),
    pytest.param(BODY + b" ", 0.0, SECRET, False, id="altered"),
    pytest.param(BODY, 0.0, new_secret(), False, id="somebody else's"),
    pytest.param(BODY, -400.0, SECRET, False, id="old"),
]
STRANGE = [
    "",
    "garbage",
    "t=1",
    "t=1,v1=ü",
    "t=x,v1=00",
    f"t=1,v1={'0' * 64},v1=1",
    f"t=99999999999999999999,v1={'0' * 64}",
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def signed(age: float) -> dict[str, str]:
    return headers_for(ENDPOINT, "evt_x", BODY, time.time() + age)


@pytest.mark.parametrize(("body", "age", "secret", "good"), CASES)
def test_the_examples_in_python(body: bytes, age: float, secret: str, good: bool) -> None:
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block, names)
    headers = signed(age)
    assert names["verify"](body, headers["X-DialStack-Signature"], secret) is good
    if good:
        assert names["event_of"](body, headers, secret)["id"] == "evt_x"
    else:
        with pytest.raises(Exception, match=r"signature|Message timestamp"):
            names["event_of"](body, headers, secret)


@pytest.mark.parametrize("header", STRANGE)
def test_what_a_stranger_sends_is_no_signature_and_no_error(header: str) -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    assert names["verify"](b"", header, SECRET) is False
    (block,) = blocks("js")
    script = block + "process.stdout.write(String(verify(Buffer.alloc(0), process.argv[1], 'x')))"
    said = subprocess.run([NODE, "-e", script, header], capture_output=True, text=True, check=True)
    assert said.stdout == "false"


@pytest.mark.parametrize(("body", "age", "secret", "good"), CASES)
def test_the_example_in_node(body: bytes, age: float, secret: str, good: bool) -> None:
    (block,) = blocks("js")
    script = block + (
        "const [body, header, secret] = process.argv.slice(1);"
        'process.stdout.write(String(verify(Buffer.from(body, "hex"), header, secret)));'
    )
    header = signed(age)["X-DialStack-Signature"]
    said = subprocess.run([NODE, "-e", script, body.hex(), header, secret], capture_output=True, text=True, check=True)
    assert said.stdout == str(good).lower()


def test_the_vector_of_the_page_is_what_we_sign() -> None:
    (body,) = re.findall(r"^`(\{.*\})` give", PAGE, re.MULTILINE)
    headers = headers_for(replace(ENDPOINT, secret="whsec_test"), "evt_x", body.encode(), 1_700_000_000)
    assert f"`{headers['X-DialStack-Signature'].partition('v1=')[2]}`" in PAGE


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    assert schedule.DELAYS == (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
    assert "1 s, 5 s, 30 s, 2 min, 10 min, and then every hour, each a fifth" in PAGE
    assert schedule.JITTER == 0.2
    assert schedule.GIVE_UP_AFTER == 86_400
    assert (poster.ANSWER_WITHIN, poster.READ_AT_MOST, poster.SHOWN) == (10.0, 65_536, 1_024)
    assert (lane.TROUBLED_AFTER, lane.WIDTH, lane.LONGEST_PAUSE) == (3, 8, 3600.0)
    assert f"waits {lane.FINISH_WITHIN:.0f} s\n  for the answers" in PAGE
    assert (places.SOON, places.QUICK, places.SLOW) == (1.0, 64, 64)
    assert "answer within a second share 64 places" in PAGE
    assert "has 64 others, a quarter of them" in PAGE
    assert f"{places.LONG} at most, the service has no more than {places.QUICK + places.SLOW + places.LONG}" in PAGE
    assert f"of which an account has at most {look_ups.OF_ONE}, and all together {look_ups.AT_A_TIME}" in PAGE
    assert f"in parts of {webhooks.AT_A_TIME} rows" in PAGE
    assert TEST_EVENT in PAGE
    assert DISABLED_EVENT in PAGE
