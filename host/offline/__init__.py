"""Reading offline: what browsers copy to the device, and the page they show without a connection."""
