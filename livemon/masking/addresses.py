"""Where e-mail addresses stand in a text, written or spoken ("ada at example dot com"). Pure.

Each sign of an address is looked at a bounded number of times: what grows to the left and right of an @ ends at the next.
"""

import re

from .shadow import LETTER, Shadow, Span

_AT = re.compile(r"@|%40|&#0{0,6}64;?|&#x0{0,6}40;?|&commat;|\\u0040")
_LOCAL = re.compile(rf"[a-z0-9{LETTER}._%+'~!#$*^-]*")
_DOMAIN = re.compile(rf"[a-z0-9{LETTER}.-]*[a-z0-9{LETTER}]")
_NAMED = re.compile(rf"\.[a-z{LETTER}]")

_W = rf"[a-z0-9{LETTER}-]{{1,64}}"
_DOTS = r"(?:dot|dash|hyphen|point|period)"
_SPOKEN = re.compile(
    rf"(?<![a-z0-9{LETTER}])at {{1,3}}{_W}(?: {{1,3}}{_DOTS} {{1,3}}{_W}){{0,8}} {{1,3}}dot {{1,3}}[a-z]{{2,24}}"
    rf"(?![a-z0-9{LETTER}])"
)
_JOINED = r"(?:tod|erocsrednu|hsad|nehpyh|sulp|tniop|doirep)"
_SPEAKER = re.compile(rf" {{1,3}}[a-z0-9{LETTER}._+-]{{1,64}}(?: {{1,3}}{_JOINED} {{1,3}}{_W}){{0,8}}")
"""What stands before the "at", from right to left."""


def find_addresses(text: str) -> list[Span]:
    """The spans of all addresses in `text`, in order and apart from one another."""
    shadow = Shadow(text)
    plain = shadow.plain
    spans = _apart(sorted([*_written(plain), *_spoken(plain)]))
    return [shadow.span(start, end) for start, end in spans]


def _written(plain: str) -> list[Span]:
    spans: list[Span] = []
    signs = list(_AT.finditer(plain))
    backwards = plain[::-1] if signs else ""
    for at in signs:
        domain = _DOMAIN.match(plain, _past_blanks(plain, at.end()))
        if domain is None:
            continue
        left = _before_blanks(plain, at.start())
        local = _LOCAL.match(backwards, len(plain) - left)
        start = left - (local.end() - local.start() if local else 0)
        apart = left != at.start() or domain.start() != at.end()
        quoted = left > 0 and plain[left - 1] in "\")'"
        if (start == left and not quoted) or (apart and not _NAMED.search(domain.group())):
            continue  # somebody's handle, or "2 @ 5"
        spans.append((start, domain.end()))
    return spans


def _spoken(plain: str) -> list[Span]:
    spans: list[Span] = []
    said = list(_SPOKEN.finditer(plain))
    backwards = plain[::-1] if said else ""
    for at in said:
        speaker = _SPEAKER.match(backwards, len(plain) - at.start())
        length = speaker.end() - speaker.start() if speaker else 0
        spans.append((at.start() - length, at.end()))
    return spans


def _past_blanks(plain: str, index: int) -> int:
    end = min(index + 2, len(plain))
    while index < end and plain[index] == " ":
        index += 1
    return index


def _before_blanks(plain: str, index: int) -> int:
    end = max(index - 2, 0)
    while index > end and plain[index - 1] == " ":
        index -= 1
    return index


def _apart(spans: list[Span]) -> list[Span]:
    """Those that overlap, or touch, as one."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
