"""A data set in a table: rows that are read, predicted and explained when they are looked at."""
