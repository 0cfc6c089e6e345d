"""The `saliscope` command."""
