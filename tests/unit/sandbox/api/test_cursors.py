from sandbox.api.cursors import Cursor, cursor_page


def test_page_at_either_end_has_no_further_cursor() -> None:
    def page(cursor: Cursor, rows: list[int]) -> tuple[list[int], bool, bool]:
        rows_of_page, meta = cursor_page(cursor, rows, lambda number: number)
        return rows_of_page, meta["next"] is not None, meta["previous"] is not None

    assert page(Cursor(None, None, 2), []) == ([], False, False)
    assert page(Cursor(None, None, 2), [9, 8]) == ([9, 8], False, False)
    assert page(Cursor(None, None, 2), [9, 8, 7]) == ([9, 8], True, False)
    assert page(Cursor(8, None, 2), [7]) == ([7], False, True)
    assert page(Cursor(None, 7, 2), [8, 9]) == ([9, 8], True, False)
    assert page(Cursor(None, 5, 2), [6, 7, 8]) == ([7, 6], True, True)
