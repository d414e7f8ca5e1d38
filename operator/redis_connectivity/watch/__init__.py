"""kopf as an informer, in a thread of its own: it turns events into keys and decides nothing."""
