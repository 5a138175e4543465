"""Runs a filter's program as the kernel would, to see what it says about a system call."""

import struct
from collections.abc import Sequence

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _MASK, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
MOST_STEPS = 4096


def verdict(program: bytes, arch: int, number: int, arguments: Sequence[int] = ()) -> tuple[str, int]:
    """Return "allow", "notify", "kill" or "errno", with the number of the error."""
    data = struct.pack("=iIQ6Q", number, arch, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    lines = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    place = value = 0
    for _ in range(MOST_STEPS):
        code, yes, no, operand = lines[place]
        place += 1
        if code == _LOAD:
            (value,) = struct.unpack_from("=I", data, operand)
        elif code == _MASK:
            value &= operand
        elif code == _RETURN:
            kind = {0x7FFF: "allow", 0x0005: "errno", 0x7FC0: "notify", 0x8000: "kill"}[operand >> 16]
            return kind, operand & 0xFFFF
        else:
            tests = {_EQUAL: value == operand, _AT_LEAST: value >= operand, _ANY_BIT: bool(value & operand)}
            place += yes if tests[code] else no
    raise AssertionError("the program does not end")
