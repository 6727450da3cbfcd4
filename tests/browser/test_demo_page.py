"""The demonstration's page, as a newcomer uses it: click Call, answer in the page, hear the carrier."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.page_phone import DIST, PagePhone
from tests.live.test_demo import READY_WITHIN, running
from tests.live.waiting import eventually, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

VENDOR = Path(__file__).parents[2] / "src/c2c_stasis/api/console/page/vendor"
CARRIER_HZ = 1000.0
WITHIN = 30.0  # seconds
NEAR = 15.0  # Hz


async def test_without_hardware_or_softphone_one_clicks_call_and_talks_to_the_carrier(
    browser_with_microphone: Browser, tmp_path: Path
) -> None:
    async with running(tmp_path) as demo:
        await until(
            lambda: "be a phone yourself" in demo.output or demo.process.returncode is not None,
            "the page",
            READY_WITHIN,
        )
        found = re.search(r"be a phone yourself: (http://127\.0\.0\.1:\d+/) ", demo.output)
        assert found, demo.output + demo.complaints
        phone = PagePhone(await browser_with_microphone.new_page())
        await phone.open(found[1])

        await phone.page.locator("click-to-call-button").first.get_by_role("button").first.click()
        await phone.until("ringing")
        await phone.click("Answer")
        await phone.until("talking")

        await eventually(phone.hears, lambda peak: abs(peak - CARRIER_HZ) < NEAR, "the carrier's tone", WITHIN)
        await phone.page.locator("c2c-softphone").get_by_role("button", name="Hang up").click()
        await until(lambda: "completed, reason normal, by user" in demo.output, "its end in the demonstration", WITHIN)
        assert phone.said == []
        await phone.page.close()


@pytest.mark.parametrize("name", sorted(path.name for path in VENDOR.glob("*.js")))
def test_what_the_service_serves_is_what_the_sdk_builds(name: str) -> None:
    built, served = (DIST / name).read_bytes(), (VENDOR / name).read_bytes()
    assert built == served, "make it anew: sh tools/npm.sh .venv --prefix sdk/js run vendor"
