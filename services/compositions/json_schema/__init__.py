"""Validation against JSON Schemas that sites provide, with messages for people."""
