"""The doors to the Kubernetes API: the resource, its status and finalizer, Events, the Lease, the ledger."""
