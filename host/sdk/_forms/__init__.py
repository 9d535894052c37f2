"""The settings forms of addons: fields declared in a manifest, and what people entered in them."""
