"""What is printed: tables, and numbers beside what is required of them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number that Hector is held to, or that is only told."""

    name: str
    value: float
    unit: str = ""
    required: float | None = None
    aim: float | None = None
    more_is_better: bool = False

    @property
    def met(self) -> bool | None:
        return self.reaches(self.required)

    def reaches(self, bar: float | None) -> bool | None:
        if bar is None:
            return None
        return self.value >= bar if self.more_is_better else self.value <= bar

    @property
    def verdict(self) -> str:
        if self.met is None:
            return ""
        if not self.met:
            return "MISSED"
        return "aim met" if self.reaches(self.aim) else "met"


def table_of(figures: Sequence[Figure]) -> str:
    rows = [("", "measured", "required", "aim", "")]
    for one in figures:
        sign = "≥ " if one.more_is_better else "≤ "
        bars = [sign + number(bar) if bar is not None else "" for bar in (one.required, one.aim)]
        rows.append((one.name, f"{number(one.value)} {one.unit}".strip(), *bars, one.verdict))
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Set rows as a table that is readable as it is and as Markdown; the first row holds the titles."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    titles, *others = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return "\n".join([titles, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *others])


def number(value: float) -> str:
    if value and abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:,.1f}" if abs(value) < 100 and value != int(value) else f"{value:,.0f}"
