import pytest

from services.settings import default_settings


@pytest.mark.parametrize(("max_duration_s", "pixels"), [(20, 4_976_640_000), (300, 74_649_600_000)])
def test_the_default_limit_of_pixels_admits_a_4k_video_of_the_maximum_duration(
    max_duration_s: int, pixels: int
) -> None:
    settings = default_settings().replace(max_duration_s=max_duration_s).renders
    assert settings.pixel_limit == pixels == 3840 * 2160 * 30 * max_duration_s


def test_a_limit_of_pixels_that_is_set_is_used() -> None:
    assert default_settings().replace(max_pixels=2_000_000).renders.pixel_limit == 2_000_000
