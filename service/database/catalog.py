"""What must hold for every object in schema wallet, read from the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.sql import SQL

# Each of these selects one text a fault.
CHECKS: tuple[LiteralString, ...] = (
    """
    select label || ' has no file in db/functions: drop it in a migration'
      from functions
     where proname <> all (%(names)s)
    """,
    """
    select 'wallet.' || name || ' has a file in db/functions but is not in the database'
      from unnest(%(names)s::text[]) as name
     where not exists (select from functions where proname = name)
    """,
    """
    select 'wallet.' || proname || ' has overloads: ' || string_agg(label, ', ' order by label)
      from functions
     group by proname
    having count(*) > 1
    """,
    """
    select label || ' must be owned by wallet_owner, not by ' || pg_get_userbyid(owner)
      from (
        select 'schema wallet', nspowner from pg_namespace where nspname = 'wallet'
        union all
        select label, proowner from functions
        union all
        select label, relowner from relations
        union all
        select oid::regtype::text, typowner
          from pg_type
         where typnamespace = to_regnamespace('wallet')
           and typtype in ('d', 'e', 'r')
      ) as owned (label, owner)
     where pg_get_userbyid(owner) <> 'wallet_owner'
    """,
    """
    select label || ' must pin its search_path: set search_path = pg_catalog, pg_temp'
      from functions
     where proconfig is null or 'search_path=pg_catalog, pg_temp' <> all (proconfig)
    """,
    """
    select label || ' may be executed by everybody: revoke all on function … from public'
      from functions,
           aclexplode(coalesce(proacl, acldefault('f', proowner))) as privilege
     where privilege.grantee = 0
    """,
    """
    select label || ' may be used by ' || rolname || ', who must not hold any table privilege'
      from relations, pg_roles
     where rolname in ('anon', 'wallet_gateway', 'wallet_webhook', 'wallet_worker')
       and case
               when relkind = 'S' then
                   has_sequence_privilege(rolname, relations.oid, 'usage, select, update')
               when relkind <> 'c' then
                   has_table_privilege(rolname, relations.oid, 'delete, truncate, trigger')
                   or has_any_column_privilege(
                       rolname, relations.oid, 'select, insert, update, references'
                   )
           end
    """,
    """
    select label || ' must have row level security enabled'
      from relations
     where relkind in ('r', 'p') and not relrowsecurity
    """,
    """
    select label || ' has no comment'
      from (
        select label, obj_description(oid, 'pg_proc') from functions
        union all
        select label, obj_description(oid, 'pg_class')
          from relations
         where relkind in ('r', 'p', 'v', 'm')
      ) as described (label, description)
     where btrim(coalesce(description, '')) = ''
    """,
    """
    select 'constraint ' || conname || ' of ' || label
           || ' must be named ' || relname || '_<column>_<kind>'
      from relations
      join pg_constraint on conrelid = relations.oid
     where contype in ('c', 'f', 'p', 'u', 'x')
       and (
           not starts_with(conname, relname || '_')
           or conname = relname || '_check'
           or conname ~ '_(check|excl|fkey|key|pkey)[0-9]+$'
       )
    """,
    """
    select 'unique index ' || indexrelid::regclass || ' of ' || label || ' must contain ' || attname
      from relations
      join pg_attribute on attrelid = relations.oid
      join pg_index on indrelid = relations.oid and indisunique
     where attname = case relname when 'organizations' then 'id' else 'org_id' end
       and attnotnull
       and attnum <> all ((indkey::int2[])[0:indnkeyatts - 1])
    """,
)

OBJECTS = SQL("""
with functions as (
    select p.*, p.oid::regprocedure::text as label
      from pg_proc as p
     where p.pronamespace = to_regnamespace('wallet')
), relations as (
    select c.*, c.oid::regclass::text as label
      from pg_class as c
     where c.relnamespace = to_regnamespace('wallet')
       and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
)
""")


def find_faults(connection: Connection[Any], functions: Iterable[str]) -> list[str]:
    """Everything in schema wallet that breaks a rule; `functions` are those that have a file."""
    query = OBJECTS + SQL(" union ").join(SQL(check) for check in CHECKS)
    rows = connection.execute(query, {"names": list(functions)}).fetchall()
    return sorted(fault for (fault,) in rows)
