import pytest

from kit.db.schema import newest_revision


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
def test_newest_revision_is_the_head_of_alembic(service: str) -> None:
    # Here, and not above: of the processes of `make unit`, only the one that runs this test imports Alembic.
    from alembic.script import ScriptDirectory

    from kit.db.migrations import alembic_config

    package = f"services.{service}"
    script = ScriptDirectory.from_config(alembic_config(package))
    assert newest_revision(package) == script.get_current_head()
