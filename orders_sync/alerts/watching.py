"""One look after the other: what is wrong is sent once by each channel, and once more when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from orders_sync.alerts.channels import Channel, Message, Output
from orders_sync.alerts.conditions import Limits, conditions
from orders_sync.output import say
from sync_ledger.alerts import Alert, AlertLog
from sync_ledger.ledger import Ledger


def look(ledger: Ledger, streams: Sequence[str], limits: Limits, channels: Sequence[Channel]) -> bool:
    """Look at each stream, and send what is new. Returns whether each channel took it.

    Raises:
        DatabaseError: the ledger cannot be read or written.
    """
    log, by_key = AlertLog(ledger), {channel.key: channel for channel in channels}
    alerts = [
        alert for stream in streams for alert in log.note(stream, conditions(ledger, stream, limits), list(by_key))
    ]
    are_sent = [_send(log, alert, by_key[alert.channel]) for alert in alerts if log.claim(alert)]
    return all(are_sent)


def _send(log: AlertLog, alert: Alert, channel: Channel) -> bool:
    event = "over" if alert.is_over else "wrong"
    why = channel.send(Message(alert.alert_id, event, alert.stream, alert.name, alert.text, alert.since))
    if why:
        log.not_sent(alert)
        say(f"stream {alert.stream}: {alert.name} could not be sent by {channel.name}: {why}", err=True, colour="red")
    else:
        log.sent(alert)
        if not isinstance(channel, Output):
            what = f"{alert.name} is over" if alert.is_over else alert.name
            say(f"stream {alert.stream}: {what}: sent by {channel.name}", err=True)
    return not why
