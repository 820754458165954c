"""What can go wrong with jobs, beside what can with reading; statuses as in ``deployments.errors``."""

from __future__ import annotations

from deployments.errors import InputError, OcrError, RetryLater, ServiceError


class JobNotFound(InputError):
    status, code, title = 404, "job_not_found", "There is no such job"


class JobExpired(InputError):
    status, code, title = 410, "job_expired", "The job was kept for its time and is gone"


class JobNotFinished(RetryLater):
    """The client's to mend, by waiting."""

    status, code, title = 409, "job_not_finished", "The job is not finished yet"


class JobFailed(OcrError):
    """No status that clients ask again after, whatever the job died of: its result will never be there."""

    status, code, title = 424, "job_failed", "The job failed and has no result"


class IdempotencyKeyReused(InputError):
    status, code, title = 422, "idempotency_key_reused", "The idempotency key belongs to another request"


class JobAbandoned(ServiceError):
    status, code, title = 500, "job_abandoned", "The service broke down over the job, and gave it up"


class TooManyJobs(RetryLater):
    status, code, title = 503, "too_many_jobs", "As many jobs are stored as may be"


class JobsUnavailable(RetryLater):
    status, code, title = 503, "jobs_unavailable", "The store of jobs does not answer"


class JobStorageFull(RetryLater):
    status, code, title = 507, "job_storage_full", "There is no space for the job"


class LeaseLost(Exception):
    """The job was removed, or belongs to another runner by now: drop what is being done for it."""
