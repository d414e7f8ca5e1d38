"""The page to look at: every path as hops, live, read-only."""
