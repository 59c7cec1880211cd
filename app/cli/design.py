import typer

commands = typer.Typer(name="design")


@commands.callback()
def cb() -> None: ...
