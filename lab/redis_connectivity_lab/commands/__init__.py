"""The commands of `redis-connectivity lab`, one module each. Light to import: the lab itself comes when one runs."""
