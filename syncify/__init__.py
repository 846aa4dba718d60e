"""Syncify: the project package, with settings, routes, and what both apps stand on."""
