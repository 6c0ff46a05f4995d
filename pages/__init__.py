"""The pages that people see, one a module; `register` puts them on NiceGUI's app."""

from nicegui import Client, app, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from components.assets import Assets
from livemon.access.guard import person_of, prefix_of
from livemon.access.roles import Right
from livemon.node import Node
from livemon.texts import say
from pages.card import card
from pages.elsewhere import elsewhere
from pages.join import join_page
from pages.not_found import not_found
from pages.shell import Shell
from pages.sign_in import SignInPage
from pages.tabs import TAB_PAGES


def register(node: Node) -> None:
    """Serve what is for people: pages, their scripts and styles, and the word that nothing is there. For once."""
    app.mount("/assets", Assets())
    app.add_route("/sign-in", SignInPage(node.providers).answer, methods=["GET"])
    app.add_route("/join", join_page, methods=["GET"])
    app.add_exception_handler(404, not_found)
    app.on_page_exception(_failed)

    async def shell(client: Client, request: Request) -> Response | None:
        person = person_of(request)
        if person is None:
            return RedirectResponse(f"{prefix_of(request)}/sign-in", 303)
        call_id = request.path_params.get("call_id")
        found = await elsewhere(node, person, call_id) if call_id else None
        Shell(node, person, request, client, found).build()
        return None

    async def start(client: Client, request: Request) -> Response | None:
        person = person_of(request)
        if person is not None and person.may(Right.WATCH):
            return RedirectResponse(f"{prefix_of(request)}/live", 303)
        return await shell(client, request)

    tabs = ((page.path, shell) for page in TAB_PAGES)
    for path, page in (("/", start), ("/live", shell), ("/live/{call_id}", shell), *tabs):
        ui.page(path, title=say("brand"), dark=None, language="en-US")(page)


def _failed() -> None:
    card("failed", say("retry.title"), say("retry.text"))
