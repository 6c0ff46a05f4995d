"""The address of Redis as people may see it: whose password is never in it, and whom it leads where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.connect.address import RedisAddress

SECRET = "s3cr3t$'x"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:pw@host:6379/0", "redis://:PASSWORD@host:6379/0"),
        ("rediss://agent:pw@host/3?ssl_cert_reqs=none", "rediss://agent:PASSWORD@host/3?ssl_cert_reqs=none"),
        ("redis://agent@host", "redis://agent@host"),
        ("redis://agent:@host", "redis://agent:@host"),
        ("redis://a:p@w@host:1", "redis://a:PASSWORD@host:1"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("unix://:pw@/run/redis.sock", "unix://:PASSWORD@/run/redis.sock"),
        ("rediss://h?ssl_password=pw&db=1", "rediss://h?ssl_password=PASSWORD&db=1"),
        ("redis://:12#34@host", "redis://:12"),
    ],
)
def test_passwords_and_nothing_else_are_left_out(url: str, masked: str):
    assert RedisAddress(url).masked == masked
    assert RedisAddress(url).has_secret == (url != masked)


@given(st.text(st.characters(exclude_characters="#?/[]\\@", exclude_categories=["C", "Z"]), min_size=8))
def test_no_password_is_in_what_is_shown(password: str):
    shown = RedisAddress(f"redis://agent:{password}@redis.example.com:6379/0").masked
    assert shown == "redis://agent:PASSWORD@redis.example.com:6379/0"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("redis://127.0.0.1:6379/0", True),
        ("redis://127.8.9.1", True),
        ("redis://localhost", True),
        ("redis://[::1]:6379", True),
        ("unix:///run/redis.sock", True),
        ("redis://", True),
        ("redis://10.0.0.5:6379", False),
        ("redis://valkey:6379", False),
        ("rediss://localhost.example.com", False),
        ("redis://[2001:db8::1]", False),
    ],
)
def test_it_says_whether_only_one_machine_reaches_it(url: str, local: bool):
    assert RedisAddress(url).is_local is local
