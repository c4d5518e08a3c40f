"""Remediator carries out incident remediation for Prometheus alerts, and proves what it did."""
