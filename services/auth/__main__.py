"""The entry point of auth: `python -m services.auth --help` lists the commands."""

from kit.cli.entry_point import run


def check_signing_keys() -> None:
    """Refuse to serve if the secrets in AUTH_KEYS_DIR cannot be used."""
    from services.auth.keys import key_folder  # only `serve` needs it
    from services.auth.settings import settings

    try:
        key_folder.read_keys(settings.auth_keys_dir)
        key_folder.read_refresh_token_key(settings.auth_keys_dir)
    except key_folder.KeysUnusable as error:
        raise SystemExit(f"cannot start: {error}") from error


if __name__ == "__main__":
    run("services.auth", commands="services.auth.cli.commands", before_serve=check_signing_keys)
