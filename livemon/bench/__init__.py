"""Benchmarks, and the rivals that they are measured against."""
