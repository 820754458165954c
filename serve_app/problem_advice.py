"""What to do about each kind of problem, by its code; docs/http.md shows it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "malformed_request": "Fix the request. Common causes: an empty body, invalid JSON, a data URL that "
        "is not base64, a multipart body that cannot be parsed or has other fields than `image` and `file`.",
        "unauthorized": "Send a valid API key. `WWW-Authenticate` says how.",
        "not_found": "Check the path: nothing is there, or what was there is gone.",
        "method_not_allowed": "`Allow` names the methods that the path takes.",
        "not_acceptable": "Accept one of the media types that `detail` lists, or use the parameter `format`.",
        "slow_body": "The body came too slowly, or paused too long; the connection is closed.",
        "payload_too_large": "Send less at a time: fewer or smaller pages or files, or a lower `dpi`. "
        "`detail` says which limit was passed.",
        "unsupported_format": "Send a document of a format that is read; the content decides, not the name.",
        "invalid_parameter": "Correct the parameter that `detail` names.",
        "unreadable_document": "The file is damaged, cut short, encrypted or too small. Another program may "
        "still open it: readers differ in what they forgive.",
        "decoder_failed": "The file crashed or hung the process that decodes it, which touches no other "
        "request. Save it again with another program.",
        "rate_limited": "Wait for `Retry-After`; keep an eye on `RateLimit`.",
        "head_too_large": "Send shorter headers, or a shorter query.",
        "internal": "A fault of the service; its log has the reason under `request_id`.",
        "stage_failed": "A model failed on every page of the document. Failures of single pages and lines "
        "are not problems of the request: they are in the answer, as `error`. JSON lines have begun by then: "
        "they answer 200 even when every page failed, and each page has its `error`.",
        "overloaded": "Wait for `Retry-After`, then send the same request again.",
        "stage_unavailable": "A stage restarts or is being updated, or the processes that decode were "
        "killed, mostly for want of memory. Wait for `Retry-After`.",
        "stopping": "Wait for `Retry-After`, then send the same request again, to the restarted service.",
        "not_ready": "The service is starting; `stages` tells which part is not warm yet.",
        "deadline_exceeded": "Raise `Prefer: wait` if you sent one; it can only shorten the service's own "
        "limit. Send a long document as a job, or take its pages as JSON lines, or ask for fewer pages. The "
        "same request may succeed when the service is less busy.",
        "job_not_found": "The job was removed, has expired long ago, or belongs to another API key.",
        "job_expired": "Submit the document again; fetch results in time, by `expires_at`.",
        "job_not_finished": "Wait for `Retry-After`, and look at the job's `progress`.",
        "job_failed": "`cause` says why, as the job's `problem` does. This answer never changes: what may "
        "pass was tried again while the job ran. Submit the document again, with a new `Idempotency-Key`, "
        "where the section of the cause says *retry: yes*, or once it is changed as that section says.",
        "idempotency_key_reused": "Use a new key for each document; the same key is for the same document "
        "and parameters, sent again.",
        "job_abandoned": "The service broke down each time it read this document. Report it with the "
        "`request_id`.",
        "too_many_jobs": "Remove jobs that are done with, or wait for `Retry-After`: until the next expires.",
        "jobs_unavailable": "The disk or database of jobs has a fault; the log of the service tells which. "
        "Readings are not affected. Wait for `Retry-After`.",
        "job_storage_full": "Remove jobs that are done with, or wait for `Retry-After`. `detail` says "
        "whether the disk is full or a limit is reached.",
    }
)
