"""Renders the compositions of the operator's Remotion project on this machine."""
