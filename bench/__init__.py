"""Figures side by side, and the recipes behind what is shipped; one command each."""
