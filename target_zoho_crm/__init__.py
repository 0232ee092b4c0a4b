"""Singer target: buffers, routes and writes records to Zoho CRM, and confirms each one.

How a batch travels: `sink` -> `delivery.delivery` (buffered; refused early where it is of no use) -> `delivery.router`
(by credits) -> `writing.upsert` or `writing.bulk_write` -> `writing.follow_up` (`links`, then `lines`) ->
`confirmation.recorder` (acks, flags, counts) -> `confirmation.state_gate` (STATE). `run` opens streams; `stream_parts`
and `writers` put the classes together.
"""
