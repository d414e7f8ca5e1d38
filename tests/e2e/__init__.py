"""The operator as a real process against the lab: what it owns, what it outlives, and two of them."""
