"""The ledger: acks, bulk jobs and runs, the only thing that tap and target share."""
