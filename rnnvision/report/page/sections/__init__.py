"""Sections of a page about one run, each made of plain data."""
