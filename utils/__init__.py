"""Shared code of the course *Reading Skin*: what more than one chapter needs."""
