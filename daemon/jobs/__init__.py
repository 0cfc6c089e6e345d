"""The process of one data-set job: reads rows, asks the daemon about them, keeps chunks, merges them at the end."""
