-- Every misuse ends here, so that each error has the same four parts: a code that clients dispatch
-- on, a sentence, its parts as JSON, and where to read more. Tenants may call it, so the code is one of
-- ours: PostgREST would repeat a 40001 for ever.
create or replace function wallet.raise_misuse(
    p_sqlstate text,
    p_field text,
    p_expected text,
    p_got text default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_sqlstate constant text := case when p_sqlstate ~ '^WL[0-9]{3}$' then p_sqlstate else 'WL006' end;
begin
    raise exception using
        errcode = v_sqlstate,
        message = p_field || ': ' || p_expected,
        detail = jsonb_build_object('field', p_field, 'expected', p_expected, 'got', left(p_got, 100))::text,
        hint = 'See docs/errors.md, code ' || v_sqlstate || '. Nothing was written.';
end;
$$;

revoke all on function wallet.raise_misuse(text, text, text, text) from public;
grant execute on function wallet.raise_misuse(text, text, text, text) to service_role, authenticated;

comment on function wallet.raise_misuse(text, text, text, text) is
'Raises p_sqlstate (of class WL, else WL006) naming the field, what was expected and what came instead.';
