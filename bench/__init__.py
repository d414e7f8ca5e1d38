"""Benches: figures of the real operator process against the lab; `python -m bench` prints the table."""
