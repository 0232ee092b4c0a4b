"""What would be written for an order against what the CRM holds: by field, by the field's type and rounding. Pure."""
