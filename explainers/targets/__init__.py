"""What is explained: which outputs, on which scale, and what follows the text."""
