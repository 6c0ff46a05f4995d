"""What was found, rule by rule, and how it is printed: a table for people, JSON for machines. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .rules import GROUPS, SENTENCES


class Verdict(StrEnum):
    HOLDS = "holds"
    BROKEN = "BROKEN"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """`seen`: what was seen where the rule is broken, or why it could not be tried; empty where it holds."""

    rule: str
    verdict: Verdict
    seen: str = ""


class Report:
    """One verdict a rule: what is broken once stays broken, whatever holds later."""

    def __init__(self, groups: Iterable[str] = tuple(GROUPS)) -> None:
        self._rules = [rule for group in groups for rule in GROUPS[group]]
        self._findings: dict[str, Finding] = {}

    def holds(self, *rules: str) -> None:
        for rule in rules:
            if self.verdict(rule) is not Verdict.BROKEN:
                self._findings[rule] = Finding(rule, Verdict.HOLDS)

    def broken(self, rule: str, seen: str) -> None:
        if self.verdict(rule) is not Verdict.BROKEN:
            self._findings[rule] = Finding(rule, Verdict.BROKEN, seen)

    def untried(self, why: str, *rules: str) -> None:
        for rule in rules:
            self._findings.setdefault(rule, Finding(rule, Verdict.UNTRIED, why))

    def check(self, rule: str, good: bool, seen: str) -> bool:
        """It holds, or is broken by what was `seen`; answers `good`."""
        if good:
            self.holds(rule)
        else:
            self.broken(rule, seen)
        return good

    def verdict(self, rule: str) -> Verdict:
        found = self._findings.get(rule)
        return found.verdict if found else Verdict.UNTRIED

    @property
    def findings(self) -> list[Finding]:
        why = "The examination did not come this far."
        return [self._findings.get(rule) or Finding(rule, Verdict.UNTRIED, why) for rule in self._rules]

    def of(self, verdict: Verdict) -> list[str]:
        """The names of the rules with this verdict."""
        return [finding.rule for finding in self.findings if finding.verdict is verdict]

    @property
    def good(self) -> bool:
        """Something holds, and nothing is broken."""
        return bool(self.of(Verdict.HOLDS)) and not self.of(Verdict.BROKEN)

    def table(self) -> str:
        """A line for each rule, and beneath one that is broken what the protocol says and what was seen."""
        width = max(map(len, self._rules))
        lines: list[str] = []
        for finding in self.findings:
            why = f"  {finding.seen}" if finding.verdict is Verdict.UNTRIED else ""
            lines.append(f"{finding.verdict:9}  {finding.rule:{width}}{why}".rstrip())
            if finding.verdict is Verdict.BROKEN:
                lines += [f"{'':11}protocol  {SENTENCES[finding.rule]}", f"{'':11}seen      {finding.seen}"]
        counts = ", ".join(f"{len(self.of(verdict))} {verdict.lower()}" for verdict in Verdict)
        return "\n".join([*lines, "", f"{counts}."])

    def json(self) -> str:
        """`{"ok": …, "rules": [{"rule", "verdict", "sentence", "seen"} …]}`"""
        rules = [
            {"rule": one.rule, "verdict": one.verdict.lower(), "sentence": SENTENCES[one.rule], "seen": one.seen}
            for one in self.findings
        ]
        return json.dumps({"ok": self.good, "rules": rules}, indent=2)
