"""Orders as they would be written beside the records that the CRM holds, for `audit`, `plan --diff` and `try`."""
