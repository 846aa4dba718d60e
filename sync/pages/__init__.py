"""The pages that listeners see: one view module for each page."""
