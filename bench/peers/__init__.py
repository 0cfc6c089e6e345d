"""How fast we are beside other packages that compute the same: `python -m bench.peers`."""
