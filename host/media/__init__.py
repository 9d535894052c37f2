"""Files of messages: uploads, received files, who may see them, and when they are removed."""
