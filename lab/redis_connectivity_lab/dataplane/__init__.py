"""Network namespaces, a packet filter compiled from the emulator's firewall rules, and real processes behind it."""
