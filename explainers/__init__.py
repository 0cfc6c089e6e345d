"""Explanation methods: pure computation over one loaded model."""
