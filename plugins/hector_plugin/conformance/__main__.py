"""`python -m hector_plugin.conformance -- COMMAND`: the same as `hector plugin test`, without Hector."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from . import CHECKS, CannotStart, Verdict, bytes_in, file_of, kinds_named, run, subject_of, write_badge


def main(arguments: list[str] | None = None) -> int:
    """Test a plugin and return the exit code: 0 if no MUST is broken."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    parser = argparse.ArgumentParser(prog="python -m hector_plugin.conformance", description=__doc__)
    parser.add_argument("--kind", action="append", default=[], help="what it is, as tool_provider")
    parser.add_argument(
        "--config", type=Path, help="JSON: {config, entry, calls, slow, model, any_model, env}"
    )
    parser.add_argument("--endpoint", default="", help="where it listens, in place of a command")
    parser.add_argument("--token", default="", help="what it wants to be shown there")
    parser.add_argument("--sample", type=Path, help="a document that a parser reads")
    parser.add_argument("--only", default="", help="numbers of checks, as H1,TO")
    parser.add_argument("--max-memory", default="0", help="what it says that it needs at most, as 512MB")
    parser.add_argument("--timeout", type=float, default=15.0, help="seconds that a call may take")
    parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")
    parser.add_argument("--junit", type=Path, help="the report as JUnit's XML, into this file")
    parser.add_argument("--badge", action="store_true", help="write PLUGIN.conformance.json beside it")
    parser.add_argument("--list", action="store_true", help="list the rules")
    parser.add_argument("command", nargs="*", help="what starts the plugin, behind --")
    options = parser.parse_args(arguments)
    if options.list:
        for check in CHECKS.values():
            sys.stdout.write(f"{check.id:5} {check.level.value:6} {check.title}: {check.rule}\n")
        return 0
    if bool(options.command) == bool(options.endpoint):
        parser.error("name either a command, behind --, or --endpoint")
    try:
        told = json.loads(options.config.read_text()) if options.config else {}
        subject = subject_of(
            told,
            command=tuple(options.command),
            endpoint=options.endpoint,
            token=options.token,
            kinds=kinds_named(options.kind),
            sample=options.sample.read_bytes() if options.sample else b"",
            sample_name=options.sample.name if options.sample else "",
            only=frozenset(filter(None, options.only.split(","))),
            max_memory_bytes=bytes_in(options.max_memory),
            call_timeout_s=options.timeout,
        )
        report = asyncio.run(run(subject, None if options.json else _say))
        if options.junit:
            options.junit.write_text(report.junit(), encoding="utf-8")
        if options.badge and options.command:
            write_badge(report, file_of(options.command))
    except (OSError, ValueError, CannotStart) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    sys.stdout.write((report.json() if options.json else report.text().rsplit("\n", 1)[-1]) + "\n")
    return 1 if report.failed else 0


def _say(verdict: Verdict) -> None:
    sys.stdout.write("\n".join(verdict.lines()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
