"""The same node and runtime as the tests of the calls have."""

from tests.calls.conftest import keys, node, part, runtime

__all__ = ["keys", "node", "part", "runtime"]
