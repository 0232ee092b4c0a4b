"""The command `mcp`: an assistant asks about the orders."""

from __future__ import annotations

import click

from orders_sync.assistant.questions import Commands


@click.command()
@click.pass_context
def mcp(context: click.Context) -> None:
    """Answer an AI assistant's questions over standard input and output (Model Context Protocol).

    Started by the assistant, in the Meltano project's folder. It reads status, problems, history, runs, plan, settings
    and docs; it changes nothing.
    """
    try:
        from orders_sync.assistant.server import server  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed; run: pip install 'orders-sync[mcp]'") from error
    environment = context.parent.params["environment"] if context.parent is not None else None
    server(Commands(() if environment is None else ("--environment", environment))).run()
