"""livemon with Admins, on both databases, and a provider that tests may set otherwise."""

import pytest

from livemon.access.oidc.provider import Provider
from livemon.store.store import Store
from tests.api.admins.people import signed_in
from tests.api.sign_on import application, browser


@pytest.fixture
async def store(database_url):
    """On both databases."""
    store = Store(database_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def app_with(store, sessions, audit, own):
    """The application, with a provider that is set so."""

    def app_with(**settings):
        return application(store, sessions, audit, {"own": Provider("own", own.settings(name="Company", **settings))})

    return app_with


@pytest.fixture
def app(app_with):
    return app_with()


@pytest.fixture
async def ada(app, store):
    """The Admin who invites; "Ada" is how the provider calls its own."""
    return await signed_in(app, store, "Chief")


@pytest.fixture
async def new(app):
    """A browser in which nobody is signed in."""
    async with browser(app).client as client:
        yield client
