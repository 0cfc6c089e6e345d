"""The language server: a thin client of the daemon for editors, over stdio."""
