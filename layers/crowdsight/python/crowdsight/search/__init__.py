"""Stored images and the search among them: vectors, metadata and files, and what callers do with them."""
