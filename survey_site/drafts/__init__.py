"""A draft on its way to opening: its design changed, sized and said in words, its comparisons built."""
