"""The imperative shell: a queue of keys, one worker a key, and the steps from observation to status."""
