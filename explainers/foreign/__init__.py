"""Models that are no Hugging Face transformers: functions of texts, and torch modules with an embedding."""
