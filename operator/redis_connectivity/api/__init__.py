"""The resource as users write and read it: spec and status models, the vocabulary of conditions, the CRD made from them."""
