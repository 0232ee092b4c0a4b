"""How fast the pair is and how much memory it takes, next to a plain pair made with singer-sdk alone."""
