"""The design as a document, free of rows: its settings, its sentences, its files, and what follows from it alone."""
