"""What a person does on the page, by the names that the contract gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from playwright.sync_api import Locator, Page


class ServicePage:
    """One tab that shows the page."""

    def __init__(self, tab: Page, url: str) -> None:
        self.tab = tab
        self.url = url
        self.table = tab.get_by_role("table", name="Documents", exact=True)
        self.status = tab.get_by_role("status")
        self.filter = tab.get_by_role("searchbox", name="Filter documents")

    def open(self) -> ServicePage:
        self.tab.goto(self.url)
        return self

    def choose(self, contents: Mapping[str, bytes]) -> None:
        """Choose files; the name of each is its key."""
        files: list[Any] = [
            {"name": name, "mimeType": "image/vnd.djvu", "buffer": content}
            for name, content in contents.items()
        ]
        self.tab.get_by_label("Choose files").set_input_files(files)

    def choose_folder(self, folder: Path) -> None:
        self.tab.get_by_label("Choose a folder").set_input_files(folder)

    def drop(self, *paths: Path, x: int = 8, y: int = 8) -> None:
        """Drop what stands on the disk, as a file manager does, onto a corner of the page."""
        devtools = self.tab.context.new_cdp_session(self.tab)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": x, "y": y, "data": data}
            devtools.send("Input.dispatchDragEvent", event)
        devtools.detach()

    def row(self, name: str) -> Locator:
        header = self.tab.get_by_role("rowheader", name=name, exact=True)
        return self.table.get_by_role("row").filter(has=header)

    def state(self, name: str) -> Locator:
        return self.row(name).locator("td.state")

    def row_in(self, state: str) -> Locator:
        """Rows that are in a state."""
        return self.table.locator(f"tbody tr[data-state={state}]")

    def expect_state(self, name: str, state: str) -> None:
        expect(self.state(name)).to_have_text(state)

    def button(self, name: str) -> Locator:
        return self.tab.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.tab.get_by_role("link", name=name, exact=True)

    def expect_names(self, *names: str) -> None:
        expect(self.table.get_by_role("rowheader")).to_have_text([*names])
