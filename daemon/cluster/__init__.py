"""The driver of a Ray cluster, in a process of its own: gives every device an actor that hosts a worker."""
