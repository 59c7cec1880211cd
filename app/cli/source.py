import typer

commands = typer.Typer(name="source")


@commands.callback()
def cb() -> None: ...
