"""Is the database as the service, the worker and the commands need it? For `wallet doctor`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection

from ..findings import Finding, failed, name_some, ok, warning
from .catalog import find_faults
from .migrate import OLDEST_VERSION
from .sql_files import SqlFile, SqlFiles

NEWEST_VERSION = 18

ROLES = (
    "wallet_owner",
    "service_role",
    "wallet_webhook",
    "wallet_gateway",
    "wallet_worker",
    "authenticated",
    "anon",
)

BODY = re.compile(r"^as \$\$(.*?)\$\$;", re.DOTALL | re.MULTILINE)

CHECK_OVERDUE = timedelta(days=2)

MIGRATE = "Run `wallet migrate`."
OPERATOR = "Give DATABASE_URL a login that is a member of service_role."

Check = Callable[[Connection[Any]], Iterator[Finding]]


def check_database(
    connection: Connection[Any], *, livemode: bool | None, has_customers: bool
) -> Iterator[Finding]:
    """Every part in turn. `livemode` is the API key's, where there is one.

    The service has customers where it can verify their tokens.
    """
    yield from check_server(connection)
    [(migrated,)] = connection.execute("select to_regnamespace('wallet') is not null").fetchall()
    if not migrated:
        yield failed("schema", "The database has no schema wallet.", MIGRATE)
        return
    checks: dict[str, Check] = {
        "roles": check_roles,
        "customers": lambda each: check_customers(each, has_customers=has_customers),
        "login": check_login,
        "schema": check_schema,
        # These call functions, which have to be ours.
        "mode": lambda each: check_mode(each, livemode),
        "worker": check_worker,
        "events": check_events,
        "books": check_books,
    }
    for part, check in checks.items():
        findings = list(_run(part, check, connection))
        yield from findings
        if part == "schema" and any(finding.level == "failed" for finding in findings):
            return


def _run(part: str, check: Check, connection: Connection[Any]) -> Iterator[Finding]:
    try:
        yield from check(connection)
    except psycopg.errors.InsufficientPrivilege:
        yield warning(part, "This login can't see it.", OPERATOR)
    except psycopg.Error as exc:
        if connection.broken:
            raise
        yield failed(part, f"It can't be read (SQLSTATE {exc.sqlstate}).", MIGRATE)


def check_server(connection: Connection[Any]) -> Iterator[Finding]:
    [(version, encoding, read_only)] = connection.execute(
        """
        select current_setting('server_version'), current_setting('server_encoding'),
               pg_is_in_recovery()
        """
    ).fetchall()
    text = f"PostgreSQL {version}, {encoding}"
    major = connection.info.server_version // 10000
    if not OLDEST_VERSION <= major <= NEWEST_VERSION:
        yield failed(
            "database",
            text,
            f"pgwallet is tested on PostgreSQL {OLDEST_VERSION} to {NEWEST_VERSION}: use one.",
        )
    elif encoding != "UTF8":
        yield failed("database", text, "Use a database with encoding UTF8.")
    elif read_only:
        yield failed("database", f"{text}, read-only", "Name the primary in DATABASE_URL.")
    else:
        yield ok("database", text)


def check_schema(connection: Connection[Any]) -> Iterator[Finding]:
    files = SqlFiles.find()
    functions = files.functions()
    pending, newer = _compare_migrations(connection, [file.name for file in files.migrations()])
    changed = _changed_functions(connection, functions)
    faults = find_faults(connection, [function.name for function in functions])
    if newer:
        yield failed(
            "schema", f"It has unknown migrations: {name_some(newer)}.", "Update pgwallet."
        )
    elif pending:
        yield failed("schema", f"Migrations are missing: {name_some(pending)}.", MIGRATE)
    elif faults or changed:
        yield failed(
            "schema",
            name_some([*faults, *(f"wallet.{name} is not as in its file" for name in changed)], 3)
            + ".",
            MIGRATE,
        )
    else:
        yield ok("schema", f"{len(functions)} functions, all as in the files")


def _compare_migrations(
    connection: Connection[Any], names: list[str]
) -> tuple[list[str], list[str]]:
    """What the database lacks, and what it has beyond ours; nothing where we may not ask."""
    [(readable,)] = connection.execute(
        """
        select case when has_schema_privilege(to_regnamespace('wallet_migrations'), 'usage')
                    then has_table_privilege('wallet_migrations.migration_checksums', 'select')
               end
        """
    ).fetchall()
    if not readable:
        return [], []
    rows = connection.execute("select migration_id from wallet_migrations.migration_checksums")
    applied = {name for (name,) in rows}
    return sorted(set(names) - applied), sorted(applied - set(names))


def _changed_functions(connection: Connection[Any], functions: list[SqlFile]) -> list[str]:
    rows = connection.execute(
        "select proname, prosrc from pg_proc where pronamespace = to_regnamespace('wallet')"
    )
    deployed = dict(rows.fetchall())
    bodies = {file.name: BODY.search(file.text) for file in functions}
    return [
        name
        for name, body in bodies.items()
        if body and name in deployed and deployed[name] != body[1]
    ]


def check_roles(connection: Connection[Any]) -> Iterator[Finding]:
    rows = connection.execute(
        "select rolname from pg_roles where rolname = any(%s)", [list(ROLES)]
    ).fetchall()
    missing = sorted(set(ROLES) - {name for (name,) in rows})
    if missing:
        yield failed("roles", f"Roles are missing: {', '.join(missing)}.", MIGRATE)
        return
    for role, process in (("wallet_webhook", "HTTP service"), ("wallet_worker", "worker")):
        yield from _check_logins_of(connection, role, process)


def _check_logins_of(connection: Connection[Any], role: str, process: str) -> Iterator[Finding]:
    rows = connection.execute(
        """
        select r.rolname, exists (
                   select from pg_class as c
                    where c.relnamespace = 'wallet'::regnamespace
                      and c.relkind in ('r', 'p', 'v', 'm', 'f')
                      and (has_any_column_privilege(r.oid, c.oid, 'select, insert, update')
                           or has_table_privilege(r.oid, c.oid, 'delete, truncate'))
               )
          from pg_roles as r
         where r.rolcanlogin and not r.rolsuper and pg_has_role(r.oid, %s, 'usage')
         order by r.rolname
        """,
        [role],
    ).fetchall()
    able = [name for name, reads_tables in rows if reads_tables]
    apt = [name for name, reads_tables in rows if not reads_tables]
    if apt:
        yield ok("roles", f"the {process} can log in as {name_some(apt)}")
    elif able:
        yield warning(
            "roles",
            f"{name_some(able)} may use {role}, but tables as well.",
            f"Give the {process} a login that is in {role} alone.",
        )
    else:
        yield warning(
            "roles",
            f"No login is a member of {role}.",
            f"Create one for the {process}: create role … login password '…' in role {role}.",
        )


def check_customers(connection: Connection[Any], *, has_customers: bool) -> Iterator[Finding]:
    """May the service become a tenant? On a managed database the migration may not grant it."""
    # Since PostgreSQL 16 a member may be barred from becoming the role.
    privilege = "set" if connection.info.server_version >= 160000 else "member"
    [(gateway_may,)] = connection.execute(
        "select pg_has_role('wallet_gateway', 'authenticated', %s)", [privilege]
    ).fetchall()
    rows = connection.execute(
        """
        select rolname, pg_has_role(oid, 'authenticated', %s)
          from pg_roles
         where rolcanlogin and not rolsuper and pg_has_role(oid, 'wallet_webhook', 'usage')
         order by rolname
        """,
        [privilege],
    ).fetchall()
    able = [name for name, may in rows if may]
    unable = [name for name, may in rows if not may]
    report = failed if has_customers else warning
    if not gateway_may:
        yield report(
            "customers",
            "wallet_gateway may not become a tenant: customers get no answer.",
            "As a superuser, or as who administers it: grant authenticated to wallet_gateway;",
        )
    elif able:
        yield ok("customers", f"the HTTP service can serve them as {name_some(able)}")
    elif unable:
        yield report(
            "customers",
            f"{name_some(unable)} may not become a tenant: customers get no answer.",
            f"grant wallet_gateway to {unable[0]};",
        )


def check_login(connection: Connection[Any]) -> Iterator[Finding]:
    [(login, operates, serves)] = connection.execute(
        """
        select current_user::text,
               pg_has_role('service_role', 'usage'),
               has_schema_privilege('wallet', 'usage')
               and has_function_privilege('wallet.process_stripe_event(jsonb)', 'execute')
        """
    ).fetchall()
    if operates:
        yield ok("login", f"{login} may operate the wallets")
    elif serves:
        yield ok("login", f"{login} may serve; the commands need a member of service_role")
    else:
        yield failed(
            "login",
            f"{login} may not call wallet.process_stripe_event.",
            f"grant wallet_webhook to {login}, or service_role for an operator's.",
        )


def check_mode(connection: Connection[Any], livemode: bool | None) -> Iterator[Finding]:
    [(wallet_livemode,)] = connection.execute(
        "select livemode from wallet.stripe_settings"
    ).fetchall()
    takes = "live" if wallet_livemode else "test"
    if livemode is None or livemode == wallet_livemode:
        yield ok("mode", f"the wallets take {takes} events")
    else:
        key = "live" if livemode else "test"
        yield failed(
            "mode",
            f"The wallets take {takes} events and STRIPE_SECRET_KEY is a {key} key.",
            f"Use a {takes} key, or call wallet.configure_stripe({str(livemode).lower()}, 'you').",
        )


def check_worker(connection: Connection[Any]) -> Iterator[Finding]:
    [(stats,)] = connection.execute("select wallet.get_queue_stats()").fetchall()
    if stats["workers_alive"]:
        yield ok("worker", f"workers alive: {stats['workers_alive']}")
    else:
        yield failed(
            "worker",
            "No worker gave a sign of life within 60 seconds: recharges and alerts wait.",
            "Start one: `wallet worker`.",
        )
    if stats["messages_dead"]:
        yield warning(
            "messages",
            f"Messages given up: {stats['messages_dead']}.",
            "Look at last_error in wallet.outbox_messages, then call wallet.replay_messages.",
        )
    else:
        yield ok("messages", f"none given up, waiting: {stats['messages_pending']}")


def check_events(connection: Connection[Any]) -> Iterator[Finding]:
    [(health,)] = connection.execute("select wallet.get_health()").fetchall()
    if health["events_failed"]:
        yield warning(
            "events",
            f"Stripe events that failed: {health['events_failed']},"
            f" the first at {health['oldest_failed_at']}.",
            "`wallet replay --failed` shows why, and tries again.",
        )
    else:
        yield ok("events", "none failed")


def check_books(connection: Connection[Any]) -> Iterator[Finding]:
    [(stats,)] = connection.execute("select wallet.get_queue_stats()").fetchall()
    check = stats["last_consistency_check"]
    if check is None:
        yield warning(
            "books",
            "They were never checked.",
            "A worker does it once a day; `wallet verify` does it now.",
        )
        return
    checked_at = datetime.fromisoformat(check["finished_at"]).astimezone(UTC)
    when = f"{checked_at:%Y-%m-%d %H:%M} UTC"
    if check["problems"]:
        yield failed(
            "books",
            f"Problems that the check of {when} found: {check['problems']}.",
            "`wallet verify` shows what is wrong now.",
        )
    elif datetime.now(UTC) - checked_at > CHECK_OVERDUE:
        yield warning(
            "books",
            f"They were last checked at {when}.",
            "A worker does it once a day: look at its log. `wallet verify` does it now.",
        )
    else:
        yield ok("books", f"in order at {when}, wallets checked: {check['wallets']}")
