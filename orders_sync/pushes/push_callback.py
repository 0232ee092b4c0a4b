"""Posts the outcome of a push to a URL, signed: whoever has the secret knows that it comes from here, and unchanged."""

from __future__ import annotations

import os
from collections import Counter

import click
import msgspec
import requests

from orders_sync.output import say
from orders_sync.pushes.pushing import Pushed
from orders_sync.signing import signed_headers

SECRET_VARIABLE = "ORDERS_SYNC_PUSH_SECRET"  # noqa: S105 - a name
SECONDS_MOST = 30.0
RESULTS_MOST = 1_000
"""Results that are posted: those that are not in the CRM first. `orders-sync results` has all."""


def callback_secret() -> str:
    """The secret that signs.

    Raises:
        click.UsageError: none is set.
    """
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        raise click.UsageError(f"--callback: set {SECRET_VARIABLE}, by which the receiver knows that the post is yours")
    return secret


def post_outcome(url: str, secret: str, pushed: Pushed) -> bool:
    """Post it once; returns whether the receiver took it. What went wrong is said in one line."""
    results = sorted(pushed.results, key=lambda each: each.outcome == "synced")
    document = {
        "transaction": pushed.transaction,
        "stream": pushed.stream,
        "complete": pushed.complete,
        "counts": Counter(each.outcome for each in pushed.results),
        "problems": pushed.problems,
        "run": pushed.run,
        "results": results[:RESULTS_MOST],
    }
    body = msgspec.json.encode(document)
    try:
        answer = requests.post(
            url, data=body, headers=signed_headers(secret, body), timeout=SECONDS_MOST, allow_redirects=False
        )
    except (requests.RequestException, ValueError) as error:
        say(f"The outcome was not delivered to --callback: {type(error).__name__}", err=True, colour="red")
        return False
    if not answer.ok:
        say(f"The outcome was not delivered to --callback: HTTP {answer.status_code}", err=True, colour="red")
    return answer.ok
