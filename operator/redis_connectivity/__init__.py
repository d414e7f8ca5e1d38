"""Keeps Cloud Run → VPC connector → Redis open, proves it with real traffic, and names the broken hop."""
