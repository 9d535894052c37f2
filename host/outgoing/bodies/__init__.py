"""What programs are told of an event: its shape, made of the record, for webhooks and for those who ask."""
