"""Arms the failpoints of running parts, and starts again what died of them."""

import asyncio
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from dev import PROJECT
from dev.stack.stack import Stack

HOOKS = PROJECT / "tests" / "failpoints"


def environment(folder: Path) -> dict[str, str]:
    """What gives a process failpoints that are armed in this folder."""
    folder.mkdir(exist_ok=True)
    return {"PYTHONPATH": f"{HOOKS}:{PROJECT}", "FAILPOINTS": str(folder)}


class Failpoints:
    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder

    async def equip(self, *parts: str) -> None:
        """Starts parts anew, with failpoints that nothing has armed."""

        async def again(part: str) -> None:
            await self.stack.stop(part)
            await self.stack.start(part, environment(self.folder / part))

        await asyncio.gather(*(again(part) for part in parts))

    def arm(self, part: str, step: str) -> None:
        (self.folder / part / step).touch(exist_ok=False)

    async def fired(self, part: str, seconds: float = 60) -> None:
        """Waits until the part has died of what was armed, and has it run again at once: the pauses of its keeper grow with every death."""
        async with asyncio.timeout(seconds):
            while any((self.folder / part).iterdir()):  # noqa: ASYNC110 -- another process takes the file away
                await asyncio.sleep(0.01)
        await self.equip(part)

    def disarm(self) -> None:
        for armed in self.folder.glob("*/*"):
            armed.unlink(missing_ok=True)


async def metric(client: httpx.AsyncClient, url: str, name: str, **labels: str) -> float | None:
    """A value of a process's own metrics; None where it does not answer."""
    try:
        answer = await client.get(f"{url}/metrics")
    except httpx.TransportError:
        return None
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0.0
