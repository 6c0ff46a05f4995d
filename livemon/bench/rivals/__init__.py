"""What one would build with a UI library alone, as well as it can be tuned: what livemon is measured against."""
