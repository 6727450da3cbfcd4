"""Every state of the Call button on one page, as a list of customers shows them; `gallery.js` brings each into its own."""

from pathlib import Path

from playwright.async_api import Browser, Page

from tests.browser.site import Site

STATES = (
    *("idle", "starting", "calling", "dialling", "ringing", "talking", "offline", "ending"),
    *("ended", "busy", "unanswered", "no_device", "refused", "expired", "uncertain", "emergency"),
)
_USER = "user_01h2xcejqtf2nbrexx3vqjhp42"
_ROW = """<li><p class="who"><b>Example {at}</b><br><bdi dir="ltr">+1 555 123 45{at:02}</bdi></p>
<click-to-call-button data-state="{state}" number="+155512345{at:02}" user="{user}"></click-to-call-button></li>"""
_STYLE = """<style>
  body { max-width: 40rem; margin-inline: auto; padding-inline: 1rem; }
  ul { list-style: none; padding: 0; }
  li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; padding: .75rem 0; border-top: 1px solid #8886; }
  .who { flex: 1 0 10rem; margin: 0; } click-to-call-button { flex: 1 1 20rem; }
</style>"""


def hang(site: Site, language: str = "en", direction: str = "ltr") -> None:
    """Make the page of the site the gallery."""
    rows = "\n".join(_ROW.format(state=state, at=at, user=_USER) for at, state in enumerate(STATES))
    site.language, site.direction = language, direction
    site.body = f"<h1>Customers</h1>\n{_STYLE}<ul>{rows}</ul>"
    site.script = Path(__file__).with_name("gallery.js").read_text()


async def visit(browser: Browser, site: Site, scheme: str, width: int) -> Page:
    """Open it, in a profile of its own, and wait until every button is in its state."""
    context = await browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
        locale="en-US",
    )
    page = await context.new_page()
    await page.goto(site.url)
    await page.wait_for_selector("body[data-shown=all]")
    return page
