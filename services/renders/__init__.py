"""Renders: service, state changes, validation of input, quota and pagination."""
