"""Real traffic to Redis: the check itself, the prober service, and the client that asks it."""
