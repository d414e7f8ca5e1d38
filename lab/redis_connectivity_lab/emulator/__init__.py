"""Google Cloud's REST as it is on the wire, as strict as Google, with operations that take time."""
