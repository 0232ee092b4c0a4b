"""What was, is and will be: `status`, `problems`, `history`, `results`, `jobs`, `plan`."""
