"""The data-set jobs of this daemon: what was asked, how it is, and the process that each runs in."""
