"""From a record's properties to a module's fields: pairing, conversion, and what is refused before it is sent."""
