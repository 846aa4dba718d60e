"""The pages that listeners see: one view module a page."""
