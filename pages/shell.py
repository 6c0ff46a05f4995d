"""The one page that NiceGUI serves: header, the live view, and sub pages for everything else.

Routes and sub pages are guarded separately: moving between sub pages goes over the open socket, which no guard over
routes sees, so each builder here asks who the person is and what they may do, at that moment. What it does not do: show
calls.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import structlog
from markupsafe import Markup
from nicegui import Client, PageArguments, background_tasks, ui
from nicegui.element import Element
from nicegui.elements.sub_pages import SubPages
from starlette.requests import Request

from components.account_menu import AccountMenu
from components.call_alerts import CallAlerts
from components.call_bar import CallBar
from components.connection_state import ConnectionState
from livemon.access.guard import prefix_of
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.node import Node
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.errors import StoreError
from livemon.texts import say
from pages.card import card, words
from pages.document import head
from pages.elsewhere import Elsewhere, elsewhere
from pages.live import OPEN_CALL, LiveView
from pages.rights import in_words, who_may, who_may_what
from pages.tabs import TAB_PAGES, TabPage

_PARTING_SECONDS = 2.0
_SILENCED_SECONDS = 0.1

_RELOAD = """window.livemonLeaves || import((window.path_prefix || "") + "/assets/held_call.js")
    .then(({ heldCall }) => heldCall.whenFree(() => location.reload()), () => location.reload())"""

_SHOW_TAB = """document.querySelector('[data-testid="%s"]')?.scrollIntoView({block: "nearest", inline: "center"})"""
"""On a narrow screen not all tabs are in sight."""

_log = structlog.get_logger("livemon.pages")


class Pages(SubPages):
    """The sub pages; `lost(path)` builds the page for an address that leads nowhere."""

    def __init__(self, routes: dict[str, Callable[..., object]], lost: Callable[[str], None]) -> None:
        self._lost = lost
        super().__init__(routes)

    def _render_404(self) -> None:
        self._lost(self._router.current_path)


class Shell:
    """One page of one person, from its first request until the browser or the session goes."""

    def __init__(
        self, node: Node, person: Person, request: Request, client: Client, found: Elsewhere | None = None
    ) -> None:
        """`found`: in which other workspace of the person's the call of the request's address is."""
        self._found = found
        self._node = node
        self._person = person
        self._request = request
        self._client = client
        self._live: LiveView | None = None
        self._tab: Element | None = None
        self._tabs: dict[str, Element] = {}
        self._connection: Element | None = None
        self._checked = True  # the first sub page is built within the request that the person came with

    def build(self) -> None:
        """Draw the page for the address of the request; the response's status is the page's."""
        ui.add_head_html(head(prefix_of(self._request)))
        # which every request of the page names (components/shown_workspace.js)
        shown = Markup('<meta name="livemon-workspace" content="{}">').format(self._person.workspace)
        ui.add_head_html(shown)
        watches = self._may_watch(self._person)
        # Quasar's page would be a second <main>, around our header too
        self._client.page_container.default_slot.children[0].tag = "div"
        with ui.element("div").classes("lm-shell"):
            self._header(watches)
            if watches and self._person.may(Right.TAKE_OVER):
                self._insecure_notice()
            CallBar().on("open", js_handler=OPEN_CALL)  # whose role is gone may still have the call that they had
            if self._person.may(Right.MANAGE):
                CallAlerts(user_id=self._person.user_id).on("open", js_handler=OPEN_CALL)
            with ui.element("main").classes("lm-main") as main:
                self._main = main
                with ui.element("div").classes("lm-pages"):
                    routes = {
                        "/": self._home,
                        "/live": self._list,
                        "/live/{call_id}": self._call,
                        **{page.path: partial(self._tab_page, page) for page in TAB_PAGES},
                    }
                    Pages(dict(routes), self._show_lost)
        self._checked = False
        watching = cast("asyncio.Task[None]", background_tasks.create(self._until_ended(), name="session of a page"))
        self._client.on_delete(watching.cancel)

    # ---- the frame

    def _header(self, watches: bool) -> None:
        with ui.element("header").classes("lm-header"):
            with _link("/live" if watches else "/", "", "lm-brand"):
                words("span", say("brand"))
            if watches:
                with ui.element("nav").classes("lm-tabs").props(f'aria-label="{say("nav.label")}"'):
                    self._tab = _link("/live", say("nav.live"), "").props('data-testid="nav-live-monitoring"')
                    for page in TAB_PAGES:
                        if self._person.may(page.right):
                            tab = _link(page.path, page.title, "").props(f'data-testid="{page.tab}"')
                            self._tabs[page.path] = tab
            ui.element("div").classes("lm-space")
            if watches:
                self._connection = ConnectionState()
            role = say(f"role.{self._person.role.value}")
            AccountMenu(name=self._person.name, role=role, workspace=self._person.workspace)

    def _insecure_notice(self) -> None:
        """Hidden by shell.css unless the browser says that the page is not secure."""
        role = "admin" if self._person.may(Right.MANAGE) else "other"
        with (
            ui.element("div")
            .classes("lm-notice lm-insecure")
            .props(f'data-testid="insecure-page" role="region" aria-label="{say("insecure.title")}"')
        ):
            words("strong", say("insecure.title"))
            words("span", say(f"insecure.{role}"))

    # ---- sub pages

    def _home(self, arguments: PageArguments) -> Awaitable[None] | None:
        """Also called for what no other route takes."""
        if arguments.remaining_path:
            self._show_lost(arguments.remaining_path)
            return None
        return self._with_person(self._show_home)

    def _list(self) -> Awaitable[None] | None:
        return self._with_person(lambda person: self._show_live(person, None))

    def _call(self, call_id: str) -> Awaitable[None] | None:
        if self._checked:
            self._show_call(self._person, call_id, self._found)
            return None
        return self._look_for(call_id)

    async def _look_for(self, call_id: str) -> None:
        found = await elsewhere(self._node, self._person, call_id)
        await self._ask_again(lambda person: self._show_call(person, call_id, found))

    def _tab_page(self, page: TabPage) -> Awaitable[None] | None:
        return self._with_person(lambda person: self._show_tab_page(person, page))

    def _with_person(self, show: Callable[[Person], None]) -> Awaitable[None] | None:
        """Build for the person of the request; later, for whoever the session's person is by then."""
        if self._checked:
            show(self._person)
            return None
        return self._ask_again(show)

    async def _ask_again(self, show: Callable[[Person], None]) -> None:
        try:
            person = await self._node.sessions.person(self._person.session_id)
        except StoreError as error:
            _log.warning("a page cannot be shown: nobody knows who may see it", why=str(error))
            self._only(say("retry.title"))
            card("failed", say("retry.title"), say("retry.text"))
            return
        if person is None or (person.role, person.rights) != (self._person.role, self._person.rights):
            self._leave()  # what stands around the sub pages was drawn for what the person might do
        else:
            show(person)

    def _show_home(self, person: Person) -> None:
        if self._may_watch(person):
            ui.navigate.to("/live")
            return
        self._only("")
        role = say(f"role.{person.role.value}")
        title = say("home.title", workspace=person.workspace)
        rights = self._node.settings.rights
        with card("home", title, say("home.text", role=role, roles=in_words(who_may(rights, Right.WATCH)))):
            words("h2", say("home.who"))
            who_may_what(rights)

    def _show_call(self, person: Person, call_id: str, found: Elsewhere | None) -> None:
        if found is None:
            self._show_live(person, call_id)
            return
        self._only(say("workspace.other.title", name=found.workspace.name))
        found.show(at_once=self._checked)

    def _show_live(self, person: Person, call_id: str | None) -> None:
        if not self._may_watch(person):
            title = say("forbidden.title", roles=in_words(who_may(self._node.settings.rights, Right.WATCH)))
            self._only(title)
            self._refuse(person, "/live")
            text = say("forbidden.text", name=person.name, role=say(f"role.{person.role.value}"))
            card("forbidden", title, text)
            return
        if self._live is None:
            self._live = LiveView(self._main, person=person)
        self._live.show(call_id)
        self._entitle(say("nav.live"), live=True)

    def _show_tab_page(self, person: Person, page: TabPage) -> None:
        if not person.may(page.right):
            rights = self._node.settings.rights
            self._only(page.forbidden_title(rights))
            self._refuse(person, page.path)
            page.show_forbidden(person, rights)
            return
        self._only(page.title)
        _mark(self._tabs.get(page.path), current=True)
        self._client.run_javascript(_SHOW_TAB % page.tab)
        page.show(self._node, person, self._request)

    def _refuse(self, person: Person, path: str) -> None:
        """Answer 403, and have it in the audit log."""
        self._client.status_code = 403
        who = (person.workspace, person.user_id, person.name)
        address = self._request.client.host if self._request.client else ""
        self._node.audit.refuse(Act(Action.ACCESS, Outcome.REFUSED, *who, subject=path, address=address))

    def _show_lost(self, path: str) -> None:
        self._only(say("not_found.title"))
        self._client.status_code = 404
        with card("not-found", say("not_found.title"), say("not_found.text", path=path)):
            _link("/", say("not_found.home"), "lm-button is-primary")

    def _only(self, title: str) -> None:
        """Make room for a page other than Live Monitoring."""
        if self._live is not None:
            self._live.hide()
        self._entitle(title, live=False)

    def _entitle(self, title: str, *, live: bool) -> None:
        ui.page_title(f"{title} · {say('brand')}" if title else say("brand"))
        if self._connection is not None:  # the list says how it is; where there is none, nobody knows
            self._connection.set_visibility(self._live is not None)
        _mark(self._tab, current=live)
        for tab in self._tabs.values():
            _mark(tab, current=False)

    @staticmethod
    def _may_watch(person: Person) -> bool:
        return person.may(Right.WATCH)

    # ---- the end

    async def _until_ended(self) -> None:
        """Close the page once the session is gone or the role, and with it the rights, another: the server says what comes."""
        async with self._node.sessions.hold(self._person.session_id, None, role=self._person.role) as hold:
            await hold.ended.wait()
        self._leave()
        await asyncio.sleep(_PARTING_SECONDS)  # for the browser to be told; then the page is deaf, whatever it does
        self._client.outbox.stop()  # or it would empty the page, and take Mute and End Call from who is on a call
        await asyncio.sleep(_SILENCED_SECONDS)
        self._client.delete()

    def _leave(self) -> None:
        """Load the page anew: at once, or when the call that one has is over, which is not cut for it."""
        self._client.run_javascript(_RELOAD)


def _mark(tab: Element | None, *, current: bool) -> None:
    """Say of a tab whether it is the page that one is on."""
    if tab is not None:
        tab.props('aria-current="page"') if current else tab.props(remove="aria-current")


def _link(href: str, text: str, classes: str) -> ui.element:
    link = words("a", text).classes(classes)
    return link.props(f'href="{href}"')
