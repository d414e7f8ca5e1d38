"""The only place that speaks to Google Cloud: clients, one error taxonomy, a quota governor, the shared inventory."""
