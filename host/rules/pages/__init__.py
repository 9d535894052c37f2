"""Pages of Settings -> Rules and Settings -> Campaigns."""
