"""Globs as regular expressions that cannot be made to run for ever."""

from hector_tool.regex import Pattern, PatternInvalid, compiled, escaped


def matcher(glob: str) -> Pattern:
    """Return what matches a glob: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any folders.

    Without a slash it is about the file's name; with one, about the path from where the search begins.

    Raises:
        ValueError: It is no glob.
    """
    expression, depth, at = "", 0, 0
    while at < len(glob):
        char = glob[at]
        if glob.startswith("**/", at):
            expression, at = expression + "(?:.*/)?", at + 3
            continue
        if glob.startswith("**", at):
            expression, at = expression + ".*", at + 2
            continue
        end = glob.find("]", at + 2) if char == "[" else -1
        if end > 0:
            expression, at = expression + _set(glob[at + 1 : end]), end + 1
            continue
        match char:
            case "*":
                expression += "[^/]*"
            case "?":
                expression += "[^/]"
            case "{":
                expression, depth = expression + "(?:", depth + 1
            case "}" if depth:
                expression, depth = expression + ")", depth - 1
            case "," if depth:
                expression += "|"
            case _:
                expression += escaped(char)
        at += 1
    if depth:
        raise ValueError("a { is not closed")
    prefix = "(?:.*/)?" if "/" not in glob else ""
    try:
        return compiled(prefix + expression)
    except PatternInvalid as error:
        raise ValueError(f"it is no glob: {error}") from error


def _set(inside: str) -> str:
    negated = inside[0] in "!^"
    inside = inside[negated:].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
    return f"[{'^' if negated else ''}{inside}]"
