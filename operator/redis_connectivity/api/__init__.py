"""The resource as users write and read it: models of spec and status, the words of conditions, the CRD."""
