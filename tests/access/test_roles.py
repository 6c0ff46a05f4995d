"""Who may do what, as docs/ux.md says it."""

import pytest

from livemon.access.person import Person
from livemon.access.roles import RIGHTS, Right, Role


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.ADMIN, {Right.WATCH, Right.MANAGE}),
        (Role.DEVELOPER, {Right.WATCH}),
        (Role.MEMBER, set()),
    ],
)
def test_a_role_has_these_rights_and_no_other(role, rights):
    assert {right for right in Right if role.may(right)} == rights
    person = Person("u1", "Ada", "ada@example.org", role, "default", "s1")
    assert {right for right in Right if person.may(right)} == rights


def test_every_role_is_in_the_table():
    assert set(RIGHTS) == set(Role)


def test_roles_are_kept_under_these_words():
    assert [role.value for role in Role] == ["admin", "developer", "member"]
