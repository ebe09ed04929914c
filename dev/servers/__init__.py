"""Private servers in a folder of their own: Postgres from a wheel, RabbitMQ from the system package."""
