"""Photographs the Call button in every state: light and dark, 360 and 1280 px wide, in its languages and from right to left.

For people to look at, after a change of how it looks: .venv/bin/python -m tools.photograph_button FOLDER
"""

import asyncio
import sys
from pathlib import Path

from tests.browser.chromium import chromium
from tests.browser.gallery import hang, visit
from tests.browser.site import Site

LANGUAGES = {"en": "ltr", "es": "ltr", "fr": "ltr", "de": "ltr", "ar": "rtl"}
SCHEMES = ("light", "dark")
WIDTHS = (360, 1280)


async def photograph(folder: Path) -> None:
    """English in all of them; the others narrow, where what does not fit is seen."""
    folder.mkdir(parents=True, exist_ok=True)
    site = Site()
    await site.open()
    async with chromium("--hide-scrollbars") as browser:
        for language, direction in LANGUAGES.items():
            hang(site, language, direction)
            for scheme in SCHEMES if language == "en" else SCHEMES[:1]:
                for width in WIDTHS if language == "en" else WIDTHS[:1]:
                    page = await visit(browser, site, scheme, width)
                    picture = folder / f"button-{language}-{scheme}-{width}.png"
                    await page.screenshot(path=picture, full_page=True, animations="disabled")
                    await page.context.close()
                    print(picture)
    await site.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(photograph(Path(sys.argv[1])))
