"""What is said to who may not listen, at a page and through a program."""

import pytest

from livemon.media.errors import (
    BadOffer,
    CallNotFound,
    CallOver,
    ListenError,
    MicrophoneRefused,
    NotAudible,
    PeerFailed,
    RedisAway,
    TooMany,
)

ALL = [
    BadOffer("it is not SDP"),
    MicrophoneRefused(),
    CallNotFound("call-1"),
    CallOver("call-1"),
    NotAudible("this browser does not play opus", "the connection offer does not have opus"),
    NotAudible("its runtime does not share audio"),
    TooMany(20, "You are"),
    RedisAway(),
    PeerFailed("the server has no free network port"),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_a_program_is_told_nothing_of_pages_and_browsers(error: ListenError):
    for text in (str(error), error.for_programs):
        assert text[0].isupper() or text.startswith("livemon")
        assert text.endswith(".")
        assert "  " not in text
    assert not any(word in error.for_programs.lower() for word in ("browser", "page", "drawer", "live listen"))
