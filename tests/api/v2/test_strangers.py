"""How many sockets may be open on which nobody has shown yet who they are."""

from contextlib import ExitStack

import pytest

from livemon.api.sockets import Refused
from livemon.api.v2.strangers import Strangers


def test_one_address_has_so_many_and_another_its_own():
    strangers = Strangers(most=10, most_of_one=2)
    with strangers.place("192.0.2.1"), strangers.place("192.0.2.1"):
        with pytest.raises(Refused) as refused, strangers.place("192.0.2.1"):
            pass
        assert (refused.value.code, refused.value.reason) == (1013, "too_many")
        with strangers.place("192.0.2.2"):
            pass
    with strangers.place("192.0.2.1"):
        pass


def test_a_network_of_ipv6_is_one_address():
    strangers = Strangers(most=10, most_of_one=1)
    with strangers.place("2001:db8::1"), pytest.raises(Refused), strangers.place("2001:db8::2"):
        pass
    with strangers.place("2001:db8::1"), strangers.place("2001:db8:0:1::1"):
        pass


def test_all_together_have_a_bound_and_whatever_fails_gives_its_place_back():
    strangers = Strangers(most=3, most_of_one=1)
    with ExitStack() as stack:
        for last in range(3):
            stack.enter_context(strangers.place(f"192.0.2.{last}"))
        with pytest.raises(Refused), strangers.place("192.0.2.9"):
            pass
    with pytest.raises(ValueError, match="lost"), strangers.place("192.0.2.9"):
        raise ValueError("lost")
    with strangers.place("192.0.2.9"):
        pass
    assert not strangers._of
