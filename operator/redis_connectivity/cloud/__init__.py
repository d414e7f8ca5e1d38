"""The only place that speaks to Google Cloud: clients, one error taxonomy, quota, the shared inventory."""
