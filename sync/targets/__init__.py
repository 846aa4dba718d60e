"""Services that listeners connect: one package for each, with a common protocol."""
