"""The pages as HTML: no script, all text escaped. Links and forms are relative: the token stays in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from orders_sync.reporting.history import Story
from orders_sync.reporting.html_parts import framed, none, section, table
from orders_sync.reporting.problem_texts import advice_lines, states
from orders_sync.reporting.report_facts import Report
from orders_sync.reporting.report_page import body
from orders_sync.reporting.report_plots import text
from sync_ledger.problems import REFUSED, Problem

REFRESH_SECONDS = 30
DAYS = (1, 7, 30)
KEYS_OF_A_PROBLEM = 50
WHAT = {"retry": "Try again", "dismiss": "Dismiss"}
"""The decisions, and what stands on their buttons."""


def overview(report: Report, streams: Sequence[str], days: int) -> str:
    """The report of some days, drawn again by itself."""
    spans = " ".join(f"<a href='?days={each}'>{each} d</a>" for each in DAYS)
    head = f"<meta http-equiv='refresh' content='{REFRESH_SECONDS}'>"
    return _page(f"Orders: {days} days", f"<p class='note'>{spans}</p>{body(report)}", streams, head=head)


def order(story: Story, streams: Sequence[str], done: str) -> str:
    """What became of one order, and what can be decided about it."""
    buttons = ""
    if story.ack is not None and story.ack.status in REFUSED:
        buttons = "".join(_button(name, {"stream": story.stream, "key": story.key}) for name in WHAT)
    lines = "".join(f"<li>{text(line)}</li>" for line in story.lines)
    found = f"<ol>{lines}</ol><p><b>Next:</b> {text(story.following)}</p>{buttons}"
    title = f"<h1>Order {text(story.key)}</h1><p class='sub'>Stream {text(story.stream)}</p>"
    return _page(f"Order {story.key}", f"{title}{_done(done)}{found}", streams, chosen=story.stream)


def keys_like(stream: str, key: str, keys: Sequence[str], streams: Sequence[str]) -> str:
    """Orders whose keys begin with what was looked for."""
    links = "".join(f"<li>{_order_link(stream, each)}</li>" for each in keys)
    what = f"<ul>{links}</ul>" if keys else none("No order of the ledger has a key that begins so.")
    return _page("Orders", f"<h1>Orders whose keys begin with {text(key)}</h1>{what}", streams, chosen=stream)


def problems(found: Mapping[str, Sequence[Problem]], streams: Sequence[str], done: str) -> str:
    """Refused orders by cause, with what they mean and what can be decided."""
    parts = [
        section(text(stream), "".join(_problem(stream, each) for each in causes) or none("No order is refused."))
        for stream, causes in found.items()
    ]
    return _page("Refused orders", f"<h1>Refused orders, by cause</h1>{_done(done)}{''.join(parts)}", streams)


def not_found(why: str) -> str:
    """A page that says what is not there."""
    return framed("Not found", none(why))


def _problem(stream: str, problem: Problem) -> str:
    field = f" in field {problem.field}" if problem.field else ""
    rows = [[f"{each.orders:,}", each.message] for each in problem.messages]
    advised = "".join(f"<p>{text(line)}</p>" for line in advice_lines(problem))
    keys = ", ".join(_order_link(stream, key) for key in problem.sample_keys)
    left = problem.orders - len(problem.sample_keys)
    more = f", and {left:,} more" if left else ""
    code = problem.code
    buttons = "".join(_button(name, {"stream": stream, "code": code}, all_of=code) for name in WHAT) if code else ""
    title = f"<h3>{problem.orders:,} orders: {text(code or 'no code')}{text(field)}</h3>"
    listed = table(("Orders", "Message"), rows, numbers={0}) if rows else ""
    return f"{title}<p class='note'>{text(states(problem))}</p>{advised}{listed}<p>{keys}{more}</p>{buttons}"


def _order_link(stream: str, key: str) -> str:
    return f"<a href='order?{text(urlencode({'stream': stream, 'key': key}))}'>{text(key)}</a>"


def _button(name: str, values: Mapping[str, str], *, all_of: str = "") -> str:
    hidden = "".join(f"<input type='hidden' name='{each}' value='{text(value)}'>" for each, value in values.items())
    label = f"{WHAT[name]}: all of {all_of}" if all_of else WHAT[name]
    return f"<form class='decide' method='post' action='{name}'>{hidden}<button>{text(label)}</button></form>"


def _done(done: str) -> str:
    return f"<p class='done' role='status'>{text(done)}</p>" if done else ""


def _page(title: str, content: str, streams: Sequence[str], *, head: str = "", chosen: str = "") -> str:
    choices = "".join(f"<option{' selected' if stream == chosen else ''}>{text(stream)}</option>" for stream in streams)
    search = (
        "<form action='order' method='get'><label>Order <input name='key' required></label> "
        f"<select name='stream' aria-label='Stream'>{choices}</select> <button>Find</button></form>"
    )
    links = "<a href='./'>Overview</a> <a href='problems'>Refused orders</a>"
    return framed(title, f"<nav>{links}{search}</nav>{content}", head=head)
