"""Renders the icons' PNG files from their SVG, in Chromium. Run it after a change:

python components/icons/render.py [path of chromium]
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
TARGETS = (
    ("livemon.svg", "livemon-180.png", 180),
    ("livemon.svg", "livemon-192.png", 192),
    ("livemon.svg", "livemon-512.png", 512),
    ("livemon-maskable.svg", "livemon-maskable-512.png", 512),
)


def render(chromium: str | None) -> None:
    """Write every PNG of TARGETS, its corners transparent."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for source, target, size in TARGETS:
            page = browser.new_page(viewport={"width": size, "height": size})
            svg = (
                (FOLDER / source)
                .read_text()
                .replace("<svg ", f'<svg width="{size}" height="{size}" style="display:block" ', 1)
            )
            page.set_content(f'<body style="margin:0">{svg}</body>')
            page.screenshot(path=FOLDER / target, omit_background=True)
        browser.close()


if __name__ == "__main__":
    render(sys.argv[1] if len(sys.argv) > 1 else None)
