"""How a text is written in each language of the lines to copy, whatever is in it: quotes, spaces, `$`, other scripts. Pure."""

import json
import shlex

_LINE_ENDS = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\x7f": "\\u007f", "\x85": "\\u0085"}


def python(text: str) -> str:
    """A string of Python's, which is one of JavaScript's, too: both read what JSON writes."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(_LINE_ENDS.get(one, one) for one in written)


javascript = python


def shell(text: str) -> str:
    """One word for a POSIX shell. Raises `ValueError` for a NUL, which no word can have."""
    if "\0" in text:
        raise ValueError("a word of a shell's cannot have a NUL in it")
    return shlex.quote(text)
