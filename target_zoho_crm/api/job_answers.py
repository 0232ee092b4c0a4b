"""What Zoho says of a job, as values: of bulk write, and of bulk read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from target_zoho_crm.api.codes import SUCCESS
from target_zoho_crm.api.plain_text import code_of

logger = logging.getLogger("target-zoho-crm")


class JobStatus(StrEnum):
    """Where a bulk write job stands."""

    ADDED = "ADDED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in (JobStatus.COMPLETED, JobStatus.SKIPPED, JobStatus.FAILED)


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """What Zoho says of a job now. `code` is its reason when it was skipped or failed as a whole."""

    job_id: str
    status: JobStatus
    download_url: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class ReadJobAnswer:
    """What Zoho says of a bulk read job now.

    `download_url` leads to its file once it has completed, and `next_page` to the records behind that; `code` is why it
    failed.
    """

    ended: bool
    download_url: str | None = None
    next_page: str | None = None
    code: str | None = None


def job_answer(job_id: str, body: Mapping[str, Any]) -> JobAnswer:
    """Read what `GET /crm/bulk/v8/write/{id}` says, whose `status` is a text."""
    resources = body.get("resource")
    resource = resources[0] if isinstance(resources, list) and resources and isinstance(resources[0], dict) else {}
    result = body.get("result")
    link = result.get("download_url") if isinstance(result, dict) else None
    code = code_of(resource.get("code") or body.get("code"))
    return JobAnswer(
        job_id=job_id,
        status=_status_of(job_id, body["status"]),
        download_url=link if isinstance(link, str) and link else None,
        code=code if code not in ("", SUCCESS) else None,
    )


def _status_of(job_id: str, word: str) -> JobStatus:
    """An unknown word is a job still under way: only a known end may end our waiting."""
    plain = word.upper().replace(" ", "").replace("_", "")
    for status in JobStatus:
        if status.value.replace(" ", "") == plain:
            return status
    logger.warning("Bulk write job %s has an unknown status; it is taken for a running one", job_id)
    return JobStatus.IN_PROGRESS


def read_job_answer(body: Any) -> ReadJobAnswer | None:
    """Read what `GET /crm/bulk/v8/read/{id}` says; None where it says nothing of a job.

    Zoho's samples show a result in unfinished states too, so the state alone decides.
    """
    data = body.get("data") if isinstance(body, dict) else None
    job = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    state = job.get("state")
    if not isinstance(state, str):
        return None
    result = job.get("result")
    result = result if isinstance(result, dict) else {}
    if state.upper() == "COMPLETED":
        link, token = result.get("download_url"), result.get("next_page_token")
        more = token if result.get("more_records") is True and isinstance(token, str) else None
        return ReadJobAnswer(ended=True, download_url=link if isinstance(link, str) else None, next_page=more)
    if state.upper() not in {"FAILURE", "FAILED"}:
        return ReadJobAnswer(ended=False)
    error = result.get("error_message")
    return ReadJobAnswer(ended=True, code=code_of(error.get("code") if isinstance(error, dict) else None) or state)
