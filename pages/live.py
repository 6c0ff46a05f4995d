"""Live Monitoring: the list and the drawer, side by side.

They stand in the shell for good and are shown or not, so that moving between tabs, or from call to call, loads nothing
anew and cuts no audio.
"""

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.call_drawer import CallDrawer
from components.call_list import CallList
from livemon.access.person import Person
from livemon.access.roles import Right

_ROUTE = 'import((window.path_prefix || "") + "/assets/route.js")'
OPEN_CALL = f"(id, by) => {_ROUTE}.then((route) => route.openCall(id, by))"
"""For an event `open` (call_id, "key" or "pointer"), in the browser."""


class LiveView:
    """The list and the drawer; `show` says which call is open, `hide` that another page is."""

    def __init__(self, parent: Element, *, person: Person) -> None:
        with parent:
            with ui.element("div").classes("lm-live") as self._area:
                self._list = CallList(may_connect=person.may(Right.CONNECT))
            self._drawer = CallDrawer(user_id=person.user_id, may=person.rights)
        # The address changes in the browser, which then tells the sub pages.
        self._list.on("open", js_handler=OPEN_CALL)
        self._drawer.on("close", js_handler=f"() => {_ROUTE}.then((route) => route.closeCall())")
        self._drawer.on("audio", self._audio)

    def show(self, call_id: str | None) -> None:
        """Show the list, and that call in the drawer; None closes the drawer."""
        self._area.set_visibility(True)
        self._area.classes(add="has-drawer") if call_id else self._area.classes(remove="has-drawer")
        self._list.show(call_id, active=True)
        self._drawer.show(call_id)

    def hide(self) -> None:
        """Leave Live Monitoring: the drawer closes, and with it the listening; a call that one has goes on."""
        self._area.set_visibility(False)
        self._list.show(None, active=False)
        self._drawer.show(None)

    def _audio(self, event: GenericEventArguments) -> None:
        self._list.pin(bool(event.args.get("listening")))
