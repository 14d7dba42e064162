"""What networks read: neighbour lists and graphs."""
