"""The models of a worker: loaded when asked for, kept while used, let go when room or time is over."""
