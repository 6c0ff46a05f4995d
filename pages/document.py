"""Pages that need no live connection: sign-in, and the word that an address leads nowhere.

They are plain HTML on the same stylesheet, so that a stranger's visit costs the server nothing that lasts. `head` is
what every page has in its <head>, those of NiceGUI included.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from livemon.access.guard import prefix_of
from livemon.texts import say

_STYLES = (
    *("theme.css", "shell.css", "call_list.css", "call_drawer.css", "transcript.css"),
    *("audit_log.css", "admission.css", "connect.css"),
)
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def head(prefix: str, *styles: str) -> Markup:
    """Theme, icons and manifest; `styles` are files under `/assets/`, the live pages' unless said."""
    links = [
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">'),
        Markup('<meta name="theme-color" content="#ffffff">'),
        Markup('<script src="{}/assets/theme.js"></script>').format(prefix),
        Markup('<link rel="icon" href="{}/assets/icons/livemon.svg" type="image/svg+xml">').format(prefix),
        Markup('<link rel="apple-touch-icon" href="{}/assets/icons/livemon-180.png">').format(prefix),
        Markup('<link rel="manifest" href="{}/assets/livemon.webmanifest">').format(prefix),
    ]
    links += [Markup('<link rel="stylesheet" href="{}/assets/{}">').format(prefix, name) for name in styles or _STYLES]
    return Markup("\n").join(links)


def document(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A whole page from `templates/`; whatever `values` hold is escaped."""
    prefix = prefix_of(request)
    page = _templates.get_template(template)
    html = page.render(say=say, prefix=prefix, head=head(prefix, "theme.css"), **values)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
