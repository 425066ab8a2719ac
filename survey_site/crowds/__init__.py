"""What crowd platforms say and are asked."""
