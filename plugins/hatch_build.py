"""Brings the contracts and the mesh, which stand in other rooms of the repository, into `hector-plugin`.

An editable install takes none of them along: there, dev-mode-dirs put the rooms themselves on the path.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = {
    "hector": "../proto/gen/hector",
    "hector_mesh": "../services/hector_mesh",
    "hector_plugin/contracts/hector": "../proto/hector",
}
"""Package, and where it stands seen from plugins/. In an unpacked sdist it stands beside this file."""


class BringRooms(BuildHookInterface[Any]):
    """Adds each room to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for package, room in ROOMS.items():
            packed = Path(self.root, package)
            if packed.is_dir() and package.startswith("hector_plugin/"):
                continue  # from an sdist: it comes with the package that it is in
            source = packed if packed.is_dir() else Path(self.root, room).resolve()
            if not source.is_dir():
                message = f"{source} is missing: build hector-plugin from a clone or from its sdist"
                raise FileNotFoundError(message)
            build_data["force_include"][str(source)] = package
