"""A Dagster of a test's own: its daemon, web server and code server, asked and steered by GraphQL as its pages are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import requests
from example_environments import ROOT

EXAMPLE = ROOT / "examples" / "dagster"
WAIT_SECONDS = 3600
"""For hangs alone: a loaded machine is slower, not wrong."""
BACKFILL = """
mutation ($shares: [String!]!) {
  launchPartitionBackfill(
    backfillParams: {assetSelection: [{path: ["orders_in_crm"]}], partitionNames: $shares}
  ) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } }
}
"""
RUNS = """
{ runsOrError(limit: 100) { ... on Runs { results { runId jobName status tags { key value } } } } }
"""
MATERIALIZATIONS = """
{ assetOrError(assetKey: {path: ["orders_in_crm"]}) { ... on Asset { assetMaterializations(limit: 100) {
    partition metadataEntries { label ... on IntMetadataEntry { intValue } }
} } } }
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Dagster:
    """All of Dagster's processes, as `dagster dev` starts them; ended with all that they started."""

    def __init__(self, home: Path, programs: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.log = home / "dagster.log"
        (home / "dagster.yaml").write_bytes((EXAMPLE / "dagster.yaml").read_bytes())
        command = [programs / "dagster", "dev", "-f", EXAMPLE / "definitions.py", "-d", EXAMPLE, "-p", str(self.port)]
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, "PATH": path, **environment, "DAGSTER_HOME": str(home)},
                cwd=home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        self.wait_for(self._loaded)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        session = requests.Session()
        session.trust_env = False  # loopback needs no proxy
        answer = session.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}, timeout=300
        )
        document: dict[str, Any] = answer.json()
        assert "errors" not in document, document
        return document["data"]

    def _loaded(self) -> bool:
        try:
            found = self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except requests.ConnectionError:
            return False
        return bool(found["repositoriesOrError"].get("nodes"))

    def wait_for(self, reached: Callable[[], object]) -> None:
        ends = time.monotonic() + WAIT_SECONDS
        while not reached():
            assert time.monotonic() < ends, self.log.read_text()[-4000:]
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            time.sleep(0.5)

    def backfill(self, shares: list[str]) -> None:
        """Ask for one run of each share, as the page of the asset does."""
        answer = self.ask(BACKFILL, shares=shares)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer

    def runs(self) -> list[tuple[str, str, dict[str, str]]]:
        """Share, status and tags of each run of the job."""
        found = []
        for run in self.ask(RUNS)["runsOrError"]["results"]:
            tags = {tag["key"]: tag["value"] for tag in run["tags"]}
            if "dagster/partition" in tags:
                found.append((tags["dagster/partition"], run["status"], tags))
        return found

    def counts(self) -> dict[str, dict[str, int]]:
        """Share to the numbers that its newest materialization has as metadata."""
        found: dict[str, dict[str, int]] = {}
        for each in self.ask(MATERIALIZATIONS)["assetOrError"]["assetMaterializations"]:
            numbers = {entry["label"]: entry.get("intValue") for entry in each["metadataEntries"]}
            found.setdefault(each["partition"], numbers)
        return found
