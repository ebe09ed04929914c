-- Creates one role and one database per service when the volume is new. A role owns its database and cannot connect to the others.
\set ON_ERROR_STOP on
\getenv auth_password AUTH_DATABASE_PASSWORD
\getenv catalog_password CATALOG_DATABASE_PASSWORD
\getenv payments_password PAYMENTS_DATABASE_PASSWORD

CREATE ROLE auth LOGIN PASSWORD :'auth_password';
CREATE ROLE catalog LOGIN PASSWORD :'catalog_password';
CREATE ROLE payments LOGIN PASSWORD :'payments_password';

CREATE DATABASE auth OWNER auth;
CREATE DATABASE catalog OWNER catalog;
CREATE DATABASE payments OWNER payments;

REVOKE ALL ON DATABASE postgres, template1, auth, catalog, payments FROM PUBLIC;
