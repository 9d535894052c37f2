"""Files of messages: uploads, received files, access to them, and their removal."""
