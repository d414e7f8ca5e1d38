"""The lab: a real API server, a Google Cloud emulator and a real packet filter with a real Redis behind it."""
