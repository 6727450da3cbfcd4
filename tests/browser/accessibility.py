"""What axe finds wrong with a page for people who hear it, or who use it without a mouse."""

from typing import Any

from playwright.async_api import Page

from tests.browser.site import SDK

AXE = SDK / "node_modules/axe-core/axe.min.js"
GRAVE = ("serious", "critical")


async def grave_findings(page: Page) -> list[str]:
    """What is serious or worse, each with where it is."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: dict[str, Any] = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']} ({one['impact']}): {one['help']} {[node['target'] for node in one['nodes']]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]
