"""What operators see: counts by five minutes, processes alive, probes, metrics, the health page."""
