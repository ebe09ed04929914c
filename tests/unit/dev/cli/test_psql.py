"""psql gets its connection from variables, not from arguments."""

from dev.cli.psql import connection_variables


def test_connection_variables_when_the_url_is_complete_name_every_part() -> None:
    assert connection_variables("postgresql://payments:p%40ss@127.0.0.1:23456/payments") == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "23456",
        "PGUSER": "payments",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "payments",
    }


def test_connection_variables_when_the_url_is_short_use_the_default_port() -> None:
    assert connection_variables("postgresql://db.example.com/shop") == {
        "PGHOST": "db.example.com",
        "PGPORT": "5432",
        "PGDATABASE": "shop",
    }
