"""What the role of an application may do in its database: read and write rows, but change no table and no recorded fact.

The role that runs the migrations owns the tables. It grants these privileges after each migration, in the same transaction.

    ordinary tables                      SELECT, INSERT, UPDATE, DELETE
    tables with the trigger append_only  SELECT, INSERT
    tables with the trigger fixed        SELECT
    alembic_version                      SELECT

The triggers refuse the other changes too. They also protect a database whose only role owns the tables.
"""

from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection

PRIVILEGES = {"append_only": "SELECT, INSERT", "fixed": "SELECT"}
"""The privileges on each table that has a trigger with this name: on tables whose rows are never changed, and on tables whose rows are
changed only by migrations. The migrations create the triggers."""

OWN_TABLES = text(
    """
    SELECT c.relname, (
        SELECT min(CAST(t.tgname AS text)) FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgname = ANY(CAST(:triggers AS text[]))
    ) AS trigger
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relowner = current_user::regrole
    ORDER BY c.relname
    """
).bindparams(bindparam("triggers", list(PRIVILEGES)))
EXISTING_PRIVILEGES = text(
    """
    SELECT has_database_privilege(:role, current_database(), 'CONNECT') AS connect,
        has_schema_privilege(:role, 'public', 'USAGE') AS usage
    """
)
OWNER_RIGHTS = text("SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = :role")


class RoleUnusable(Exception):
    """The role of the application cannot be limited; the message says why."""


def grant_privileges(connection: Connection, role: str) -> None:
    """Give `role` exactly the privileges of an application. A table that the owner creates later is read-only until the next migration.

    Raises RoleUnusable if the role does not exist, is a superuser, or is a member of the owner's role.
    """
    unlimited = connection.execute(OWNER_RIGHTS, {"role": role}).scalar_one_or_none()
    if unlimited is None:
        raise RoleUnusable(f"the role {role} does not exist in this database: create it")
    if unlimited:
        raise RoleUnusable(f"the role {role} is a superuser or a member of the owner's role: use another one")
    name = connection.dialect.identifier_preparer.quote_identifier(role)
    existing = connection.execute(EXISTING_PRIVILEGES, {"role": role}).one()
    if not existing.connect:
        database = connection.dialect.identifier_preparer.quote_identifier(
            connection.execute(text("SELECT current_database()")).scalar_one()
        )
        connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {database} TO {name}")
    if not existing.usage:
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {name}")
    for table in connection.execute(OWN_TABLES).all():
        privileges = PRIVILEGES.get(table.trigger, "SELECT, INSERT, UPDATE, DELETE")
        if table.relname == "alembic_version":
            privileges = "SELECT"
        qualified = f"public.{connection.dialect.identifier_preparer.quote_identifier(table.relname)}"
        connection.exec_driver_sql(f"REVOKE ALL ON {qualified} FROM {name}")
        connection.exec_driver_sql(f"GRANT {privileges} ON {qualified} TO {name}")
    # Only SELECT: pg_restore adds the default privileges to those of a table, and an append-only table must not get UPDATE and DELETE.
    connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {name}")
    connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {name}")
