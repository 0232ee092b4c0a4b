"""`callback`: takes what Zoho says of ended jobs."""
