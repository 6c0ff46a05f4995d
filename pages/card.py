"""A plain page inside NiceGUI: one thing to read, and the next thing to do."""

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement


def words(tag: str, text: str) -> TextElement:
    """An HTML element of that tag with text in it, never markup."""
    return TextElement(tag=tag, text=text)


def card(testid: str, title: str, *paragraphs: str) -> Element:
    """A card in the middle of the page; enter it (`with`) to add more below the paragraphs."""
    with ui.element("div").classes("lm-plain"), ui.element("section").classes("lm-card") as element:
        element.props(f'data-testid="{testid}"')
        words("h1", title)
        for paragraph in paragraphs:
            words("p", paragraph)
    return element
