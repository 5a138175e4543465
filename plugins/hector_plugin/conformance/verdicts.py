"""What came of each check, and of all of them together."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree


class Level(StrEnum):
    """How much a check matters."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Outcome(StrEnum):
    """How a check ended."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check's result."""

    id: str
    level: Level
    title: str
    outcome: Outcome
    rule: str = ""
    """What the contract says."""
    sent: str = ""
    """What the kit did or sent."""
    came: str = ""
    """What came of it."""
    mend: str = ""
    """What to do about it."""
    why: str = ""
    """Why it was skipped."""
    took_s: float = 0.0
    logged: tuple[str, ...] = ()
    """The last that the plugin logged meanwhile, of a rule that is broken."""

    def lines(self) -> list[str]:
        """Say it to people: a line, and what they need to mend it."""
        word = {
            Outcome.PASS: "ok  ",
            Outcome.SKIP: "skip",
            Outcome.FAIL: "FAIL" if self.level is Level.MUST else "warn",
        }[self.outcome]
        head = f"{word} {self.id:5} {self.level.value:6} {self.title}"
        if self.outcome is Outcome.SKIP:
            return [f"{head}: {self.why}"]
        if self.outcome is Outcome.PASS:
            return [head]
        facts = (("sent", self.sent), ("came", self.came), ("rule", self.rule), ("mend", self.mend))
        logged = [
            f"             {'log: ' if not at else '     '}{line}" for at, line in enumerate(self.logged)
        ]
        return [head, *(f"             {name}: {fact}" for name, fact in facts if fact), *logged]


@dataclass(frozen=True, slots=True)
class Report:
    """All verdicts about one plugin."""

    plugin: str
    """Its command or address."""
    name: str
    version: str
    kinds: tuple[str, ...]
    """As "tool_provider"."""
    bare: bool
    """It serves no hector.plugin.v1.Plugin."""
    verdicts: Sequence[Verdict]

    @property
    def failed(self) -> list[Verdict]:
        """The rules of level MUST that are broken."""
        return self._failing(Level.MUST)

    @property
    def warned(self) -> list[Verdict]:
        """The rules of level SHOULD that are broken."""
        return self._failing(Level.SHOULD)

    def _failing(self, level: Level) -> list[Verdict]:
        return [one for one in self.verdicts if one.outcome is Outcome.FAIL and one.level is level]

    def count(self, outcome: Outcome) -> int:
        """Return how many checks ended so."""
        return sum(one.outcome is outcome for one in self.verdicts)

    def text(self) -> str:
        """Say it to people."""
        known = f" ({self.name} {self.version})" if self.name else ""
        lines = [f"{self.plugin}{known}: {', '.join(self.kinds) or 'no known kind'}"]
        for verdict in self.verdicts:
            lines += verdict.lines()
        counts = (
            f"{self.count(Outcome.PASS)} ok, {self.count(Outcome.SKIP)} skipped, {len(self.warned)} warned"
        )
        word = f"NOT CONFORMANT: {len(self.failed)} of the rules are broken" if self.failed else "conformant"
        return "\n".join([*lines, f"{word} ({counts})"])

    def fields(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "plugin": self.plugin,
            "name": self.name,
            "version": self.version,
            "kinds": list(self.kinds),
            "bare": self.bare,
            "conformant": not self.failed,
            "failed": [one.id for one in self.failed],
            "warned": [one.id for one in self.warned],
            "verdicts": [asdict(one) for one in self.verdicts],
        }

    def json(self) -> str:
        """Say it to programs."""
        return json.dumps(self.fields(), indent=2, ensure_ascii=False)

    def junit(self) -> str:
        """Say it to what reads JUnit's XML; a SHOULD that is broken is no failure there."""
        suite = ElementTree.Element(
            "testsuite",
            name=f"hector plugin test: {self.name or self.plugin}",
            tests=str(len(self.verdicts)),
            failures=str(len(self.failed)),
            skipped=str(self.count(Outcome.SKIP)),
        )
        for one in self.verdicts:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=f"hector.plugin.{one.level.value}",
                name=f"{one.id} {one.title}",
                time=f"{one.took_s:.3f}",
            )
            said = _printable("\n".join(one.lines()[1:]))
            if one.outcome is Outcome.SKIP:
                ElementTree.SubElement(case, "skipped", message=_printable(one.why))
            elif one.outcome is Outcome.FAIL and one.level is Level.MUST:
                ElementTree.SubElement(case, "failure", message=_printable(one.came)).text = said
            elif one.outcome is Outcome.FAIL:
                ElementTree.SubElement(case, "system-out").text = said
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(char for char in text if char in "\n\t" or char.isprintable())
