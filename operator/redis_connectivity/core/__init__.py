"""The pure core: what should be, what is, what to do and why it fails, as plain functions on frozen values."""
