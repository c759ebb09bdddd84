"""The command `trio-ports demo`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import click
import trio

from ..._protocol.dialects import DialectName
from ..output import Output
from ..running import leaves, run
from . import steps
from .scenes import SCENES, Scene
from .stage import InVainError, Stage, is_like
from .tellers import TextTeller, json_teller

PAUSE_SECONDS: Final = 0.15
"""How long the user in the scenes thinks, if the output goes to a terminal."""
PATIENCE_SECONDS: Final = 60
"""How long a scene may take, without pauses, until it counts as failed. On a busy machine
the native application of a scene may take ten seconds to start."""


@click.command
@click.option(
    "--scene", "names", multiple=True, type=click.Choice(list(SCENES)), help="Play this scene only; may be repeated."
)
@click.option(
    "--dialect",
    type=click.Choice(["trio", "firefox", "chrome"]),
    default="trio",
    show_default=True,
    help="The rules that the ports obey.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per line, for programs.")
@click.option("--fast", is_flag=True, help="Do not pause between steps.")
def demo(names: tuple[str, ...], dialect: DialectName, as_json: bool, fast: bool) -> None:
    """Play the scenes of the documentation of runtime.Port.

    Content scripts, background pages, extensions and a native application open ports,
    talk, and disconnect. Each step is shown as it happens. Ends with 0 if everything went
    as it should, and with 1 if not.

    Example: trio-ports demo --scene native --dialect chrome
    """
    output = Output()
    pause = PAUSE_SECONDS if output.is_terminal and not (as_json or fast) else 0
    scenes = [SCENES[name] for name in names or SCENES]

    async def program() -> int:
        tell = json_teller(output) if as_json else TextTeller(output).tell
        return 0 if await play(scenes, dialect=dialect, tell=tell, pause_seconds=pause) else 1

    sys.exit(run(program, output))


async def play(
    scenes: list[Scene], *, dialect: DialectName, tell: Callable[[steps.Step], object], pause_seconds: float = 0
) -> bool:
    """Play scenes one after the other; return whether exactly the expected steps happened."""
    tell(steps.DemoBegan(dialect, [scene.name for scene in scenes]))
    ended: list[steps.SceneEnded] = []
    for number, scene in enumerate(scenes, start=1):
        tell(steps.SceneBegan(scene.name, number, scene.title))
        stage = Stage(scene.name, dialect=dialect, tell=tell, pause_seconds=pause_seconds)
        await play_scene(scene, stage)
        ended.append(summary(stage))
        tell(ended[-1])
        await trio.sleep(pause_seconds)
    failed = [each.scene for each in ended if not each.ok]
    counted = ("connections", "posted", "delivered", "disconnected")
    totals = {name: sum(getattr(each, name) for each in ended) for name in counted}
    tell(steps.DemoEnded(not failed, failed, **totals))
    return not failed


async def play_scene(scene: Scene, stage: Stage) -> None:
    """Play a scene, and report as trouble whatever goes wrong."""
    try:
        with trio.fail_after(PATIENCE_SECONDS):
            await scene.play(stage)
    except trio.TooSlowError:
        stage.trouble(f"waited {PATIENCE_SECONDS} s in vain for {stage.waits_for}")
    except InVainError as error:
        stage.trouble(f"waited in vain: {error}")
    except Exception as error:  # noqa: BLE001 - The other scenes are played all the same.
        stage.trouble(f"the scene failed: {'; '.join(map(repr, leaves(error)))}")
    else:
        stage.check_end()


def summary(stage: Stage) -> steps.SceneEnded:
    """Count the steps of a stage."""

    def number(kind: type[steps.Step], **fields: object) -> int:
        return sum(is_like(step, kind, **fields) for step in stage.steps)

    return steps.SceneEnded(
        stage.scene,
        stage.ok,
        connections=number(steps.PortOpened, side="opener"),
        posted=number(steps.MessagePosted),
        delivered=number(steps.MessageDelivered),
        disconnected=number(steps.PortDisconnected),
    )
