from services.storage.content_disposition import content_disposition


def test_a_file_is_saved_or_shown_under_its_name() -> None:
    assert content_disposition("Promo-1.mp4", as_attachment=True) == 'attachment; filename="Promo-1.mp4"'
    assert content_disposition("Promo-1.mp4", as_attachment=False) == 'inline; filename="Promo-1.mp4"'
