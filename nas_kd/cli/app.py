"""The application that commands are added to."""

from importlib.metadata import version
from typing import Annotated

import typer

app = typer.Typer(
    help="Find the best small network for a budget, by distilling every candidate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def show_version(asked: bool) -> None:
    """Print the version and end."""
    if asked:
        typer.echo(f"nas-kd {version('nas-kd')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Find the best small network for a budget, by distilling every candidate."""
