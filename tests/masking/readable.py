"""What somebody can still read in a masked text, looked for more simply than livemon does."""

import re


def digits_in_a_row(text: str) -> int:
    """The most digits, of any script, between which no letter stands."""
    most = count = 0
    for character in text:
        if character.isdecimal():
            count += 1
        elif character.isalpha():
            count = 0
        most = max(most, count)
    return most


def address_in(text: str) -> str | None:
    """Something of the form a@b.c, if there is any."""
    found = re.search(r"[A-Za-z0-9]@[A-Za-z0-9]", text)
    return found and found.group()
