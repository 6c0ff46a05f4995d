"""The tokens of `components/theme.css`: contrast as WCAG 2.2 AA wants it, in light and dark; no colour beside them."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.components.conftest import Server

FOLDER = Path(__file__).parents[2] / "components"
CSS = (FOLDER / "theme.css").read_text()
WORDS = ("text", "muted", "accent", "ok", "warn", "danger")
GROUNDS = ("bg", "surface", "surface-2", "accent-soft")
SOFT = {"ok": "ok-soft", "warn": "warn-soft", "danger": "danger-soft", "accent": "accent-soft", "text": "warn-soft"}


def tokens(selector: str) -> dict[str, str]:
    block = re.search(re.escape(selector) + r" \{(.*?)\}", CSS, re.DOTALL)
    assert block
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


THEMES = {"light": tokens(":root"), "dark": tokens(':root[data-theme="dark"]')}


@pytest.mark.parametrize("theme", THEMES)
def test_every_word_can_be_read_on_every_ground(theme: str) -> None:
    """4.5 : 1 for text on page, panel, well and selected row, and for each state on its own chip."""
    colours = THEMES[theme]
    pairs = [(word, ground) for word in WORDS for ground in GROUNDS] + list(SOFT.items())
    pairs += [("on-accent", "accent"), ("on-danger", "danger")]
    failing = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: round(ratio, 2) for pair, ratio in failing.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_a_fields_border_and_the_focus_can_be_seen(theme: str) -> None:
    """3 : 1 for what shows where a field is, and where the focus is."""
    colours = THEMES[theme]
    for mark in ("line-strong", "accent"):
        for ground in ("bg", "surface"):
            assert contrast(colours[mark], colours[ground]) >= 3, (mark, ground)


def test_dark_says_every_colour_anew() -> None:
    assert THEMES["dark"].keys() == THEMES["light"].keys()


@pytest.mark.parametrize("name", ["shell.css", "call_list.css", "call_drawer.css", "transcript.css"])
def test_components_use_tokens_only(name: str) -> None:
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\((?!0 0 0 /)", (FOLDER / name).read_text()) == []


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("kind", "word", "ground"),
    [
        ("is-primary", "on-accent", "accent"),
        ("is-danger is-filled", "on-danger", "danger"),
        ("is-danger", "danger", "surface-2"),
        ("", "text", "surface-2"),
    ],
)
async def test_a_button_under_the_mouse_can_still_be_read(
    drawer_server: Server, drawer_browser: Browser, kind: str, word: str, ground: str
) -> None:
    page = await drawer_browser.new_page()  # a desktop: nothing hovers over a touch screen
    await page.goto(f"http://127.0.0.1:{drawer_server.port}/")
    await page.evaluate(
        """(kind) => {
          document.body.innerHTML = "<button id='one'>One</button>";
          document.querySelector("#one").className = `lm-button ${kind}`;
        }""",
        kind,
    )
    button = page.locator("#one")
    await button.hover()
    for name, token in (("color", word), ("background-color", ground)):
        red, green, blue = (int(THEMES["light"][token][at : at + 2], 16) for at in (1, 3, 5))
        await expect(button).to_have_css(name, f"rgb({red}, {green}, {blue})")
    await page.close()


def test_every_style_of_a_component_is_linked_by_the_live_pages() -> None:
    linked = re.search(r"_STYLES = \((.*?)\n\)", (FOLDER.parent / "pages" / "document.py").read_text(), re.DOTALL)
    assert linked
    assert set(re.findall(r'"([\w.]+)"', linked[1])) == {path.name for path in FOLDER.glob("*.css")}
