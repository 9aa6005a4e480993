begin;
select plan(12);
\ir ../support.sql

create function pg_temp.found() returns text
language sql stable
return (
    select string_agg(
        format('%s: %s', action, coalesce(wallet.find_freeze(pg_temp.org('acme'), action), 'none')), ', '
    )
    from unnest(array['recharges', 'checkouts', 'spending']) as action
);

do $$ begin perform pg_temp.open_wallet('acme'); end $$;

select is(
    pg_temp.found(), 'recharges: none, checkouts: none, spending: none', 'a wallet that was never frozen is free'
);

-- What each cause refuses until somebody says otherwise.
create function pg_temp.frozen_by(p_cause text) returns text
language plpgsql
as $$
declare
    v_found text;
begin
    perform wallet.open_freeze(pg_temp.org('acme'), p_cause, p_cause, 'test', 'for ' || p_cause);
    v_found := pg_temp.found();
    delete from wallet.wallet_freezes;
    return v_found;
end;
$$;
select is(pg_temp.frozen_by(cause), found, format('frozen by %s: %s', cause, found))
from (
    values
    ('dispute', 'recharges: dispute, checkouts: dispute, spending: none'),
    ('early_fraud_warning', 'recharges: early_fraud_warning, checkouts: none, spending: none'),
    ('operator', 'recharges: operator, checkouts: operator, spending: none')
) as rule (cause, found);

-- What it refuses is a setting.
do $$ begin perform wallet.configure_freeze('dispute', false, true, 'ann'); end $$;
select is(
    pg_temp.frozen_by('dispute'), 'recharges: dispute, checkouts: none, spending: dispute',
    'freeze_rules say what a cause refuses; recharges always'
);
select is(
    pg_temp.frozen_by('operator'), 'recharges: operator, checkouts: operator, spending: none',
    'each cause by itself'
);

-- Of several, the oldest that refuses.
do $$
begin
    perform wallet.open_freeze(pg_temp.org('acme'), 'early_fraud_warning', 'first', 'test', 'issfr_1');
    perform wallet.open_freeze(pg_temp.org('acme'), 'operator', 'second', 'test');
    perform wallet.open_freeze(pg_temp.org('acme'), 'dispute', 'third', 'test', 'du_1');
    update wallet.wallet_freezes
    set frozen_at = now() + array_position(array['first', 'second', 'third'], reason::text) * interval '1 s';
end $$;
select is(
    pg_temp.found(), 'recharges: first, checkouts: second, spending: third',
    'the oldest freeze that refuses is the reason'
);
do $$
begin
    update wallet.wallet_freezes
    set lifted_at = now(), lifted_by = 'ann', lifted_because = 'Done'
    where reason = 'first';
end $$;
select is(
    pg_temp.found(), 'recharges: second, checkouts: second, spending: third', 'one that was lifted refuses nothing'
);
select is(wallet.find_freeze(pg_temp.org('nobody'), 'recharges'), null, 'an unknown organization isn''t frozen');
select is(wallet.find_freeze(pg_temp.org('acme'), 'flying'), null, 'nothing refuses what isn''t known');

select throws_ok(
    'update wallet.wallet_freezes set lifted_at = now(), lifted_by = null, lifted_because = null', '23514', null,
    'a freeze isn''t lifted by nobody'
);
select throws_ok(
    'update wallet.wallet_freezes set lifted_at = null, lifted_by = ''ann'', lifted_because = ''x''', '23514', null,
    'nor at no time'
);

select * from finish();
rollback;
