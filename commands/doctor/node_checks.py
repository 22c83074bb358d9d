"""The checks of `rendercast doctor` for rendering a Remotion project on this machine."""

from commands.doctor.report import CheckGroup, CheckSkipped
from commands.doctor.role import Role
from services.backends.remotion_node.browsers import check_browser, find_browser
from services.backends.remotion_node.deployment import find_node, find_remotion

PROJECT_CHECK, NODE_CHECK, BROWSER_CHECK = "Remotion project", "Node", "browser"


async def check_node(group: CheckGroup) -> None:
    """Check that Node, the project's packages and a browser are installed. The project is not bundled."""
    settings = group.settings

    def require() -> None:
        if group.renderer != "node":
            raise CheckSkipped(f"The renderer is `{group.renderer}`. For your project, set RENDERCAST_RENDERER=node.")
        if not group.is_for(Role.DEV, Role.WORKER):
            raise CheckSkipped("Only workers render.")

    async def check_program() -> str:
        require()
        return f"{await find_node()} is new enough."

    async def check_project() -> str:
        require()
        packages, project = find_remotion(settings)
        folder = settings.own_machines.remotion_site if project is None else project.folder
        return f"{folder} has Remotion {packages.version}."

    async def check_start() -> str:
        packages, _ = find_remotion(settings)
        browser = find_browser(settings.own_machines.remotion_browser, project=packages.folder)
        await check_browser(browser)
        return f"{browser.path} starts ({browser.mode})."

    await group.check(NODE_CHECK, check_program)
    if await group.check(PROJECT_CHECK, check_project, BROWSER_CHECK):
        await group.check(BROWSER_CHECK, check_start)
