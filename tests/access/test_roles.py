"""Who may do what, as docs/ux.md says it, and as settings may change it."""

import pytest

from livemon.access.roles import RIGHTS, Right, RightsError, Role, read_rights

CALLS = {Right.WATCH, Right.READ, Right.UNMASKED, Right.LISTEN, Right.TAKE_OVER, Right.END, Right.INJECT, Right.CONNECT}


@pytest.mark.parametrize(
    ("role", "rights"), [(Role.ADMIN, CALLS | {Right.MANAGE}), (Role.DEVELOPER, CALLS), (Role.MEMBER, set())]
)
def test_a_role_has_these_rights_and_no_other(role, rights):
    assert RIGHTS[role] == rights


def test_every_role_is_in_the_table():
    assert set(RIGHTS) == set(Role)


def test_roles_are_kept_under_these_words():
    assert [role.value for role in Role] == ["admin", "developer", "member"]


@pytest.mark.parametrize(
    ("text", "rights"),
    [
        ("none", set()),
        ("watch", {Right.WATCH}),
        ("Watch, READ,  listen", {Right.WATCH, Right.READ, Right.LISTEN}),
        ("watch read unmasked listen take_over end inject connect", CALLS),
    ],
)
def test_rights_are_read_from_a_list_of_names(text, rights):
    assert read_rights(text) == rights


@pytest.mark.parametrize("text", ["", ",", "everything", "watch,manage", "watch,none", "watch;read"])
def test_a_list_with_what_is_no_right_is_refused_with_the_names_that_there_are(text):
    with pytest.raises(
        RightsError, match="watch, read, unmasked, listen, take_over, end, inject, connect, or the word none"
    ):
        read_rights(text)


@pytest.mark.parametrize("text", ["listen", "read,end"])
def test_rights_without_the_first_of_all_are_refused(text):
    with pytest.raises(RightsError, match="without watch"):
        read_rights(text)
