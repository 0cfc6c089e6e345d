"""Documents: text and format to records, fields and exact spans, kept through edits."""
