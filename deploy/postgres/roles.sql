-- Creates two roles and one database per service when the volume is new. auth_owner owns the database of auth and runs its migrations,
-- which create the tables and grant auth, the role of the application, what it needs. No role can connect to another service's database.
\set ON_ERROR_STOP on
\getenv auth_owner_password AUTH_MIGRATION_DATABASE_PASSWORD
\getenv catalog_owner_password CATALOG_MIGRATION_DATABASE_PASSWORD
\getenv payments_owner_password PAYMENTS_MIGRATION_DATABASE_PASSWORD
\getenv auth_password AUTH_DATABASE_PASSWORD
\getenv catalog_password CATALOG_DATABASE_PASSWORD
\getenv payments_password PAYMENTS_DATABASE_PASSWORD

CREATE ROLE auth_owner LOGIN PASSWORD :'auth_owner_password';
CREATE ROLE catalog_owner LOGIN PASSWORD :'catalog_owner_password';
CREATE ROLE payments_owner LOGIN PASSWORD :'payments_owner_password';
CREATE ROLE auth LOGIN PASSWORD :'auth_password';
CREATE ROLE catalog LOGIN PASSWORD :'catalog_password';
CREATE ROLE payments LOGIN PASSWORD :'payments_password';

-- template0 and a locale of Postgres itself: the same on every machine, whatever the locale of the server is.
CREATE DATABASE auth OWNER auth_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
CREATE DATABASE catalog OWNER catalog_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
CREATE DATABASE payments OWNER payments_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';

REVOKE ALL ON DATABASE postgres, template1, auth, catalog, payments FROM PUBLIC;
GRANT CONNECT ON DATABASE auth TO auth;
GRANT CONNECT ON DATABASE catalog TO catalog;
GRANT CONNECT ON DATABASE payments TO payments;
