"""`make demo`: a made-up shop's orders into the Zoho CRM emulator, by the real `meltano run`, and then compared."""
