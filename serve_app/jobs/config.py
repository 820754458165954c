"""Configuration of jobs: ``args.jobs`` in serve_config.yaml."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class JobsConfig(BaseModel):
    """How long documents are taken, kept and read. ``jobs: null`` leaves the routes out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(
        "sqlite",
        pattern=r"^(sqlite|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$",
        description="where jobs live: `sqlite`, one file on this machine for all ingress replicas on it; or "
        "`package.module:function`, which gives a JobStore of your own (docs/jobs.md)",
    )
    options: Mapping[str, str] = Field(
        default_factory=dict, description="what a store of your own needs, such as its URL"
    )
    directory: str = Field(
        "",
        description="folder of the `sqlite` store, made if missing; empty: `scriptorium/jobs` in the user's "
        "cache folder. Services that name the same folder share their jobs",
    )
    max_jobs: int = Field(200, ge=1, description="jobs stored at a time, finished ones included (503)")
    max_stored_bytes: int = Field(
        2 * 2**30, ge=1, description="documents, pages and results of all jobs together, bytes (507)"
    )
    max_body_bytes: int = Field(
        128 * 2**20, ge=1, description="body of a request that submits a job, bytes (413)"
    )
    keep_s: float = Field(
        86_400.0,
        gt=0,
        description="time that a job is kept, from its end or else from its submission, s (410)",
    )
    concurrent_jobs: int = Field(1, ge=1, description="jobs that one ingress replica reads at a time")
    pages_in_flight: int = Field(
        2,
        ge=1,
        description="pages of a job that are in the stages at a time: what requests may have to wait for",
    )
    lease_s: float = Field(
        30.0,
        gt=0,
        description="time after which the job of a replica that died is taken up by another, seconds",
    )
    max_attempts: int = Field(
        3, ge=1, description="times that a job is taken up without a page being read, before it fails"
    )
    max_retries: int = Field(
        10,
        ge=0,
        description="times that a page is tried again while the stages are busy, before the job fails",
    )
