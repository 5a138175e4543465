"""An option's value that says where a plugin listens."""

import click


class Address(click.ParamType[str]):
    """A socket, or a host and its port; anything else is refused before anybody waits for an answer."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from hector_runtime.plugins.address import problem_with

        if why := problem_with(value):
            self.fail(f"{value!r} {why}", param, ctx)
        return value
