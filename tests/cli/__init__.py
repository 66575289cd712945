"""The command line as a person meets it, against a small vendor on this machine."""
