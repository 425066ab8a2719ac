"""What researchers and raters may send, one module a noun."""
