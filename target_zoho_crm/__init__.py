"""Singer target: buffers, routes and writes records to Zoho CRM, and confirms each one."""
