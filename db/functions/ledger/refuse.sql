create or replace function wallet.refuse(p_error text, p_message text, p_numbers jsonb default '{}')
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object('success', false, 'error', p_error, 'message', p_message) || p_numbers
$$;

revoke all on function wallet.refuse(text, text, jsonb) from public;
grant execute on function wallet.refuse(text, text, jsonb) to service_role, authenticated;

comment on function wallet.refuse(text, text, jsonb) is
'A business refusal: a stable code, a sentence for people, and the numbers behind it.';
