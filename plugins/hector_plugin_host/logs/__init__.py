"""What plugins print, as log records: every dialect that is in use, no secret, no flood, no line too long."""

from .journal import Journal, Line
from .printed import Printed

__all__ = ["Journal", "Line", "Printed"]
