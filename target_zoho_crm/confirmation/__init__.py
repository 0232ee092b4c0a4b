"""What became of each order: outcomes, acks, the order in which STATE may go out, retries."""
