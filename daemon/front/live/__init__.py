"""Live documents of one connection: which records are explained next, and what is told of them."""
