"""The orders' database as tap and target both know it: its types, its texts, its sessions, its flag."""
