"""Headers of an answer, found by any case."""

from typing import Any


class Headers(dict[str, str]):
    """Values by their names in lower case; of a name that comes twice, the first counts."""

    def take(self, name: bytes, value: bytes) -> None:
        self.setdefault(
            name.decode("utf-8", "surrogateescape").lower(), value.decode("utf-8", "surrogateescape")
        )

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())
