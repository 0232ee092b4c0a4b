"""Singer tap: finds the unsynced orders in a SQL database and streams them."""
