"""When something is tried again, and how often something is checked: every figure of ours, once.

The places that wait import their schedule from here, and `docs/retries.md` is made of `RETRIES`, `POLLS` and
`INTERVALS`. How long one statement or one call may take is not a matter of this module.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_databases.retrying import UNLIMITED, Growth, RetrySchedule

# Tried again after a failure

API_CALLS = RetrySchedule(attempts=6, first_pause=0.5, growth=Growth.DOUBLING, longest_pause=60.0, shortest_share=0.5)
RETRY_AFTER_MOST_SECONDS = 120.0  # a longer one is not waited for in one piece: the call is sent and refused again
API_CALLS_OF_CHECKS = RetrySchedule(
    attempts=2, first_pause=0.2, growth=Growth.DOUBLING, longest_pause=60.0, shortest_share=0.5
)
TOKEN_RENEWAL = RetrySchedule(attempts=5, first_pause=1.0, growth=Growth.DOUBLING, longest_pause=30.0)
TOKEN_RENEWAL_OF_CHECKS = RetrySchedule(attempts=5, first_pause=0.2, growth=Growth.DOUBLING, longest_pause=30.0)
SPLIT_CALLS = RetrySchedule(attempts=2, first_pause=1.0, shortest_share=0.5)
RECORD_LOOKS = RetrySchedule(attempts=4, first_pause=1.0)  # a tick of Zoho's clock
JOB_CREATION = RetrySchedule(attempts=2)
JOB_CREATION_HOURS = 24
RESULT_READING = RetrySchedule(attempts=3)
UNKNOWN_JOBS = RetrySchedule(attempts=UNLIMITED, first_pause=10.0)
QUARANTINED_JOBS = RetrySchedule(attempts=1)
SEARCH_CREDITS_FACTOR = 3  # a search spends so many times the credits of the call that failed
GETS_THROUGH_WITHIN = 60.0  # seconds: an order that fails alone counts, where something else got through
PARKED_AFTER_HOURS = 24  # at the earliest, for answers that blame nobody
DUE_ORDERS = RetrySchedule(attempts=UNLIMITED, first_pause=60.0, growth=Growth.DOUBLING, longest_pause=6 * 3600.0)
LEDGER_STATEMENTS = RetrySchedule(
    attempts=5,
    first_pause=1.0,
    growth=Growth.BY_THE_FIRST,
    longest_pause=30.0,
    shortest_share=0.5,
    none_begun_after=60.0,  # each attempt may have waited for a lock already
)
ORDERS_DATABASE_STATEMENTS = LEDGER_STATEMENTS
CREATING_TABLES = RetrySchedule(attempts=5, first_pause=0.1, growth=Growth.BY_THE_FIRST)
ACQUIRING_LEASE = RetrySchedule(attempts=3)
FOLLOWED_DATABASE = RetrySchedule(
    attempts=UNLIMITED, first_pause=1.0, growth=Growth.DOUBLING, longest_pause=60.0, shortest_share=0.5
)
AUDIT_LOOKS = RetrySchedule(attempts=5, first_pause=1.0, growth=Growth.DOUBLING, longest_pause=30.0)
UNDO_LEASE = RetrySchedule(attempts=120, first_pause=5.0)
PROBE_CALLS = RetrySchedule(attempts=4, first_pause=5.0)
PROBE_JOBS = RetrySchedule(attempts=70, first_pause=1.0, growth=Growth.DOUBLING, longest_pause=30.0)
PROBE_SEARCHES = RetrySchedule(attempts=60, first_pause=1.0)
PROBE_UNKNOWN_JOBS = RetrySchedule(attempts=6, first_pause=10.0, growth=Growth.DOUBLING, longest_pause=120.0)

# Asked for again until it has ended


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """Seconds between two polls of a job, and the share of what a job took by which its end may be noticed late.

    `share_when_likely` holds while the job is as old as others were when they ended: what waits for a place at Zoho
    waits that much longer, and a poll costs a credit at most, where a job costs 500.
    """

    shortest: float
    longest: float
    share_of_elapsed: float
    share_when_likely: float


JOB_POLLS = PollSchedule(shortest=0.1, longest=30.0, share_of_elapsed=0.2, share_when_likely=0.02)
READ_JOB_POLLS = JOB_POLLS
JOB_POLLS_BESIDE_CALLBACKS = PollSchedule(shortest=5.0, longest=120.0, share_of_elapsed=1.0, share_when_likely=1.0)

# Done again and again, in seconds

LEASE_HEARTBEAT_SECONDS = 10.0
LEASE_SILENT_SECONDS = 60.0
LEASE_WATCH_SECONDS = 60.0
LEASE_LOOK_SECONDS = 5.0
LEASE_STANDING_SECONDS = 300.0
CALLBACK_CHECK_SECONDS = 1.0
TOKENS_DENIED_SECONDS = 600.0
GIVEN_UP_JOB_SECONDS = 24 * 3600.0
FIRST_JOB_LOOK_SECONDS = 600.0
SECOND_JOB_LOOK_SECONDS = 3600.0
LAST_JOB_LOOK_SECONDS = 24 * 3600.0
JOB_LOOKS = (FIRST_JOB_LOOK_SECONDS, SECOND_JOB_LOOK_SECONDS, LAST_JOB_LOOK_SECONDS)
TOKEN_CHECK_SECONDS = 5.0
SHARED_TOKEN_CHECK_SECONDS = 0.5
SHARED_TOKEN_CLAIM_SECONDS = 60.0
UNDO_LOOK_SECONDS = 0.5
UNDO_WAITED_FOR_SECONDS = 120.0
UNDO_PAUSE_SECONDS = 2.0  # between portions: whoever waits for the lease looks meanwhile
SHARE_CHECK_SECONDS = 2.0
SHARE_KEPT_SECONDS = 30.0
MISSING_PARENT_SECONDS = 60.0
FIRST_CONTACT_SECONDS = 10.0
FIRST_CONTACT_LOOK_SECONDS = 2.0
FIRST_CONTACT_STAGGERED_SECONDS = 60.0
BUSY_FLUSH_SECONDS = 0.02
INPUT_CHECK_SECONDS = 0.5
CALL_STOP_CHECK_SECONDS = 0.1
LINES_STOP_CHECK_SECONDS = 0.5
WORKER_STOP_CHECK_SECONDS = 1.0
FOLLOW_POLL_SECONDS = 1
FOLLOW_SHORTEST_POLL_SECONDS = 0.01
FOLLOW_GATHERING_SECONDS = 0.05
FOLLOW_STATE_SECONDS = 5.0
COMPARISON_SECONDS = 86_400.0
INDEX_BESIDE_SECONDS = 60.0
FOLLOW_FULL_PASS_SECONDS = 300.0
FOLLOW_WIDE_POLL_SECONDS = 10.0
FOLLOW_LEDGER_POLL_SECONDS = 10.0


# The same for people


@dataclass(frozen=True, slots=True)
class Retry:
    """One row of the table of retries: what fails, and what follows when it is not tried again any more."""

    what: str
    schedule: RetrySchedule
    then: str
    note: str = ""
    """What else decides about it."""
    attempts_setting: str = ""
    """The setting that limits the attempts, where one does."""


RETRIES = (
    Retry(
        "A call to Zoho's API that got no answer, a 429 or a 5xx",
        API_CALLS,
        "its orders stay unsynced: the next run sends them",
        f"`Retry-After` decides where it is given, up to {RETRY_AFTER_MOST_SECONDS:g} s; "
        "with `max_age_seconds` there is no limit while an outage lasts",
    ),
    Retry("The same in `doctor`, `init` and `plan`", API_CALLS_OF_CHECKS, "the check fails"),
    Retry("Renewing the access token", TOKEN_RENEWAL, "the run ends", "each pause is up to a first one longer"),
    Retry(
        "The same in `doctor`, `init` and `plan`",
        TOKEN_RENEWAL_OF_CHECKS,
        "the check fails",
        "each pause is up to a first one longer",
    ),
    Retry(
        "A call of orders that fails without naming one, while other calls get through",
        SPLIT_CALLS,
        "its orders are sent in parts, until the one that fails is alone: `BREAKS_CALLS`",
        f"the second attempt is the one in parts; they cost {SEARCH_CREDITS_FACTOR} times the call's credits at most, "
        "the next run goes on",
    ),
    Retry(
        "A record with a `write` rule that a person changes while it is read",
        RECORD_LOOKS,
        "its order is due again: `ALREADY_MODIFIED`",
    ),
    Retry(
        "Creating a bulk write job, without an answer",
        JOB_CREATION,
        "its orders are due again, by calls, and it is in doubt: `JOB_WITHOUT_RESULT`",
        "both jobs write the same versions; a job of lines is created again by the next run, "
        f"for {JOB_CREATION_HOURS} hours, one of links, which adds rows, is not",
    ),
    Retry("A job's result that cannot be read", RESULT_READING, "its orders are due again: `JOB_WITHOUT_RESULT`"),
    Retry(
        "A job of which not enough is known, in a run with `max_age_seconds`",
        UNKNOWN_JOBS,
        "",
        "other runs leave it to the next run",
    ),
    Retry(
        "Orders whose upload or job fails as a whole, or whose job leaves no result",
        QUARANTINED_JOBS,
        "the next run sends them by upsert calls, not by a job, and counts no attempt",
    ),
    Retry(
        "An order with a transient refusal",
        DUE_ORDERS,
        "it is parked",
        "the second attempt is due at once, and these pauses follow it",
        "max_attempts",
    ),
    Retry(
        "An order whose calls fail when it is alone, without an answer or with a 5xx",
        DUE_ORDERS,
        f"it is parked, {PARKED_AFTER_HOURS} hours after the first such answer at the earliest",
        f"a try counts where something else got through within {GETS_THROUGH_WITHIN:g} s",
    ),
    Retry(
        "A statement in the ledger: connection lost, deadlock, locked",
        LEDGER_STATEMENTS,
        "the run ends; the next run sends its orders",
        "none is begun after 60 s; with `max_age_seconds` until it works",
    ),
    Retry(
        "The same in the orders' database, where the sync flag is set",
        ORDERS_DATABASE_STATEMENTS,
        "the run ends; the next one sets the flags",
        "as in the ledger",
    ),
    Retry(
        "Creating the ledger's tables: tap and target start together",
        CREATING_TABLES,
        "the run ends, with what the database says",
    ),
    Retry(
        "Acquiring the lease, while others begin and end",
        ACQUIRING_LEASE,
        "the run ends with 3",
        "a live run's lease is waited for by the tap, with `wait_for_lock_seconds`",
    ),
    Retry(
        "Reading the orders with `follow`, after the database was lost",
        FOLLOWED_DATABASE,
        "",
        "the first pause is `poll_interval_seconds`; the first poll of a run is not tried again",
    ),
    Retry(
        "A comparison by `audit` of an order that a run writes at the time",
        AUDIT_LOOKS,
        "it counts as under way",
    ),
    Retry("Acquiring the lease by `undo`, while a run is live", UNDO_LEASE, "undo ends; one more goes on"),
    Retry("A call of `probe` that Zoho answers with 429", PROBE_CALLS, "the answer is unknown"),
    Retry("`probe` looks at its jobs", PROBE_JOBS, "the question is not asked; `probe --clean-up` waits for the job"),
    Retry("`probe` searches for a new record", PROBE_SEARCHES, "the question is not asked"),
    Retry("`probe` looks for records of a job whose creation had no answer", PROBE_UNKNOWN_JOBS, "it has deleted all"),
)

POLLS = (
    ("A bulk write job", JOB_POLLS),
    ("A bulk read job of `audit`", READ_JOB_POLLS),
    ("The same with `callback_url`", JOB_POLLS_BESIDE_CALLBACKS),
)

WATCH_LOOK_SECONDS = 20.0
ALERT_CLAIM_SECONDS = 60.0
PROGRESS_SECONDS = 60.0

INTERVALS = (
    ("A run's heartbeat in the ledger", LEASE_HEARTBEAT_SECONDS),
    ("After this silence by the ledger's clock a run is watched by the next one", LEASE_SILENT_SECONDS),
    ("For this time by its own clock; without a heartbeat the run is dead", LEASE_WATCH_SECONDS),
    ("In that time: checks for a heartbeat; with `wait_for_lock_seconds`, for its end", LEASE_LOOK_SECONDS),
    ("If its process lives on this host (stopped), runs must see it stand for this time", LEASE_STANDING_SECONDS),
    ("While `undo` has the lease, a run looks whether it gave it up", UNDO_LOOK_SECONDS),
    ("For this time; then the run ends with 3", UNDO_WAITED_FOR_SECONDS),
    ("Between two portions of `undo`, for runs that wait", UNDO_PAUSE_SECONDS),
    ("Checks for a callback of a job", CALLBACK_CHECK_SECONDS),
    ("Checks whether another worker has renewed the shared access token", SHARED_TOKEN_CHECK_SECONDS),
    ("Time for one worker to renew it, before another one does", SHARED_TOKEN_CLAIM_SECONDS),
    ("Checks for this run's part of the org's concurrent upserts and jobs, while it writes", SHARE_CHECK_SECONDS),
    ("Without anything to write for this time, a run leaves its part to others", SHARE_KEPT_SECONDS),
    (
        "After `ACCESS_DENIED` (too many access tokens): nothing is asked of Zoho's accounts server",
        TOKENS_DENIED_SECONDS,
    ),
    ("After `orders-sync jobs --abandon`: its orders are due, although the job has not ended", GIVEN_UP_JOB_SECONDS),
    ("After a job's creation without an answer: its orders are compared with the CRM", FIRST_JOB_LOOK_SECONDS),
    ("The same once more", SECOND_JOB_LOOK_SECONDS),
    ("The same for the last time", LAST_JOB_LOOK_SECONDS),
    ("With `max_age_seconds`, without a token: checks whether another process has one", TOKEN_CHECK_SECONDS),
    ("A parent record that was not found is looked up again", MISSING_PARENT_SECONDS),
    ("The first ten orders of a stream are read back (`first_contact`)", FIRST_CONTACT_SECONDS),
    (
        "After a first contact that found differences: workers of other partitions stop too",
        FIRST_CONTACT_STAGGERED_SECONDS,
    ),
    ("Checks whether the worker that makes the first contact has made it", FIRST_CONTACT_LOOK_SECONDS),
    ("Checks whether a call that delays waiting records has ended (`max_age_seconds`)", BUSY_FLUSH_SECONDS),
    ("Without input: checks whether records have waited long enough, and whether to stop", INPUT_CHECK_SECONDS),
    ("Checks whether to stop, while a call waits for its place", CALL_STOP_CHECK_SECONDS),
    ("Checks whether to stop, while lines wait for their turn", LINES_STOP_CHECK_SECONDS),
    ("Checks whether to stop, while the target waits for calls and jobs", WORKER_STOP_CHECK_SECONDS),
    ("`follow`: a poll for changes (`poll_interval_seconds`)", FOLLOW_POLL_SECONDS),
    ("`follow`: the shortest interval that the setting gives", FOLLOW_SHORTEST_POLL_SECONDS),
    ("`follow`: after a notification, for changes that come with it", FOLLOW_GATHERING_SECONDS),
    ("`follow`: STATE, though nothing has changed", FOLLOW_STATE_SECONDS),
    ("`follow`: everything is read as by a single run", FOLLOW_FULL_PASS_SECONDS),
    ("Time to build an index of an older PostgreSQL ledger without a lock", INDEX_BESIDE_SECONDS),
    ("`orders-sync watch`: a check of the streams (`--look-every`)", WATCH_LOOK_SECONDS),
    ("Time for one watcher to send an alert, before another one does", ALERT_CLAIM_SECONDS),
    ("What a long run has done so far, in the target's log", PROGRESS_SECONDS),
    ("Every order is compared with its ack, where `filter` asks more than the order's columns", COMPARISON_SECONDS),
    ("`follow`: a poll that looks back by all of `lookback_seconds`", FOLLOW_WIDE_POLL_SECONDS),
    ("`follow`: a poll of a ledger in another database", FOLLOW_LEDGER_POLL_SECONDS),
)
