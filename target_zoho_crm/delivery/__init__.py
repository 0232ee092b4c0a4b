"""From the records that come in to the batches that go out: buffered, routed by credits, in time."""
