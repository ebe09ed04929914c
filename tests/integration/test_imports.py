"""Pure rules can be imported without an environment, so that unit tests need none."""

import subprocess
import sys

import pytest

MODULES = {
    "catalog": "fulfilment.decisions products.filters slugs",
    "payments": "settlement.rules ledger.movements paystack.charge paystack.event_types outcomes",
}


@pytest.mark.parametrize("service", MODULES)
def test_rules_when_the_environment_is_empty_are_imported(service: str) -> None:
    statement = "import " + ", ".join(f"services.{service}.{module}" for module in MODULES[service].split())
    finished = subprocess.run([sys.executable, "-c", statement], env={}, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
