begin;
select plan(2);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.org('acme'), 'Under review', 'ann');
end $$;

select is(
    wallet.refuse_frozen(pg_temp.org('acme'), action),
    jsonb_build_object(
        'success', false, 'error', 'wallet_frozen', 'message', 'The wallet is frozen: Under review.',
        'org_id', pg_temp.org('acme'), 'refused', action
    ),
    format('%s are refused with the reason', action)
)
from unnest(array['checkouts', 'spending']) as action;

select * from finish();
rollback;
