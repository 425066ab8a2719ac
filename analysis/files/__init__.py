"""A report as files: JSON and its schema, CSV, LaTeX, HTML, plain text, a methods paragraph and its references.

Every table is built once, in `tables_of(report)`, and written by each format, so that no two files can disagree.
"""
