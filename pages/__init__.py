"""The pages that people see, one a module; `register` puts them on NiceGUI's app."""

from nicegui import Client, app, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from components.assets import Assets
from livemon.access.guard import person_of
from livemon.node import Node
from livemon.texts import say
from pages.card import card
from pages.not_found import not_found
from pages.shell import Shell
from pages.sign_in import sign_in

SHELL_PATHS = ("/", "/live", "/live/{call_id}")


def register(node: Node) -> None:
    """Serve what is for people: pages, their scripts and styles, and the word that nothing is there. For once."""
    app.mount("/assets", Assets())
    app.add_route("/sign-in", sign_in, methods=["GET"])
    app.add_exception_handler(404, not_found)
    app.on_page_exception(_failed)

    async def shell(client: Client, request: Request) -> Response | None:
        person = person_of(request)
        if person is None:
            return RedirectResponse("/sign-in")
        page = Shell(node, person, request, client)
        return page.build()

    for path in SHELL_PATHS:
        ui.page(path, title=say("brand"), dark=None, language="en-US")(shell)


def _failed() -> None:
    card("failed", say("retry.title"), say("retry.text"))
