"""`probe`: asks an org the questions that Zoho's documents leave open, and keeps what it answers as a profile."""
