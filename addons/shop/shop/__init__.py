"""Orders of a WooCommerce shop beside conversations."""
