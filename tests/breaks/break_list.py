"""All breaks, in the order of the promises of docs/guarantees.md."""

from __future__ import annotations

from breaks.doubled_orders import DOUBLED_ORDERS
from breaks.endless_retries import ENDLESS_RETRIES
from breaks.false_successes import FALSE_SUCCESSES
from breaks.lost_orders import LOST_ORDERS
from breaks.one_break import Break
from breaks.other_promises import OTHER_PROMISES

BREAKS: tuple[Break, ...] = (*LOST_ORDERS, *DOUBLED_ORDERS, *FALSE_SUCCESSES, *ENDLESS_RETRIES, *OTHER_PROMISES)
