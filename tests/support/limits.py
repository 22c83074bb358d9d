"""Limits for tests: 20 seconds, 500 code points of text, 4 KB of props, and 1,000,000,000 pixels."""

from services.renders.media_limits import MediaLimits
from services.renders.requests import RequestLimits
from services.renders.validation import AnimationLimits

ANIMATION_LIMITS = AnimationLimits(max_duration_s=20, fps=30, max_text_length=500)
MEDIA_LIMITS = MediaLimits(max_duration_s=20, max_pixels=1_000_000_000)
REQUEST_LIMITS = RequestLimits(animation=ANIMATION_LIMITS, media=MEDIA_LIMITS, max_props_bytes=4096)
