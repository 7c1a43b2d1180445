"""Widgets that more than one screen uses, or that are large enough for a file of their own."""
