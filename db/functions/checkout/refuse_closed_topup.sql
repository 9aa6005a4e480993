create or replace function wallet.refuse_closed_topup(p_topup wallet.topups)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select wallet.refuse(
        'topup_closed',
        'This top-up can no longer be paid; another one needs another request key.',
        jsonb_build_object('request_key', p_topup.request_key, 'topup_id', p_topup.id, 'status', p_topup.status)
    )
$$;

revoke all on function wallet.refuse_closed_topup(wallet.topups) from public;

comment on function wallet.refuse_closed_topup(wallet.topups) is
'Internal: the refusal topup_closed.';
