"""What is run by hand, and by no test."""
