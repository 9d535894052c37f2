"""Health for operators: processes alive, probes, metrics, the health page."""
