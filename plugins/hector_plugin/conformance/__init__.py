"""The conformance kit: numbered rules, tried on a plugin from outside, whatever it is written in."""

from .badge import Badge, badge_for, file_of, write_badge
from .checks import CHECKS, Check
from .launching import CannotStart
from .running import chosen, run
from .subject import Subject, bytes_in, kinds_named, name_of, subject_of
from .verdicts import Level, Outcome, Report, Verdict

__all__ = [
    "CHECKS",
    "Badge",
    "CannotStart",
    "Check",
    "Level",
    "Outcome",
    "Report",
    "Subject",
    "Verdict",
    "badge_for",
    "bytes_in",
    "chosen",
    "file_of",
    "kinds_named",
    "name_of",
    "run",
    "subject_of",
    "write_badge",
]
