"""One module per family of methods; the registry names them."""
