"""The vote cycle: which trial is next, leased to whom, answered how, counted where."""
