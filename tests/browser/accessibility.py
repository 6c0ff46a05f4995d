"""What axe thinks of a page (WCAG 2.2 AA and axe's good practice)."""

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def complaints(page: Page) -> list[str]:
    """What axe finds wrong, light and dark, each with the elements concerned."""
    found: list[str] = []
    for theme in ("light", "dark"):
        await page.evaluate("(theme) => livemonTheme.choose(theme)", theme)
        await page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        options = {
            "runOnly": {"type": "tag", "values": TAGS},
            "preload": False,
        }  # nothing that would be loaded is asked for
        response: dict[str, Any] = (await Axe().run(page, options=options)).response
        for violation in response["violations"]:
            where = [node["html"][:160] for node in violation["nodes"][:3]]
            found.append(f"{theme}: {violation['id']} ({violation['impact']}): {violation['help']}: {where}")
    return found


async def expect_no_complaints(page: Page) -> None:
    found = await complaints(page)
    assert not found, "\n".join(found)
