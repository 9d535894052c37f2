"""The first steps of a workspace: a list in the inbox's place until it is done or hidden."""
