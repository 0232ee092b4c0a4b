"""A push without a terminal: its id is printed at once, and what it says stands in a file of this user's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from orders_sync.output import say
from orders_sync.pushes.pushing import Push, look, owning_stream, transaction_of
from orders_sync.reporting.push_log import log_of
from sync_ledger.ledger import Ledger
from target_zoho_crm.settings import Settings, default_ledger_url


def begin_in_background(push: Push, target_config: Mapping[str, Any]) -> None:
    """Look at the records, print the transaction's id, and let another process do this very command.

    Raises:
        FileProblem: the records cannot be taken.
        DatabaseError: the ledger cannot be used.
    """
    settings = Settings.read(target_config)
    ledger = Ledger.open(settings.ack_url or default_ledger_url(), settings.ack_schema)
    try:
        ledger.ensure_tables()
        name = transaction_of(look(push).hash, owning_stream(ledger, settings, push.stream), again=push.again)
    finally:
        ledger.close()
    arguments = [each for each in sys.argv[1:] if each != "--background"]
    command = [sys.executable, "-c", "from orders_sync.cli import main; main()", *arguments, "--transaction", name]
    with log_of(name).open("ab") as log:
        subprocess.Popen(  # noqa: S603 - this very command
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    say(name)
    say(
        "It goes on in the background; leave the files where and as they are until it has ended, as "
        f"`orders-sync results {name}` says. Its log: {log_of(name)}",
        err=True,
    )
