"""Where commands find the settings, the databases and the ledger: files, variables, or the Meltano project."""
