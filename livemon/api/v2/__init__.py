"""The API for programs (docs/api.md): the live part of Retell's API, so that its clients work here unchanged."""
