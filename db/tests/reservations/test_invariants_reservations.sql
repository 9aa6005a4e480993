begin;
select plan(15);
\ir ../support.sql
\ir reservations.sql

create function pg_temp.problems(p_name text) returns text
language sql
return (
    select coalesce(string_agg(format('%s: %s, not %s', problem, expected, actual), '; ' order by problem), 'none')
    from wallet.validate_credits_consistency()
    where org_id = pg_temp.org(p_name)
);

do $$
begin
    perform pg_temp.open_caller('held', 5000);
    perform pg_temp.reserve('held', 'call_1');
    perform pg_temp.reserve('held', 'call_2');
    perform pg_temp.release('held', 'call_2');
    perform pg_temp.open_caller('owing', 0, 500);
    perform pg_temp.reserve('owing', 'call_1');
    perform pg_temp.bill('owing', 'call_1', 300);
    perform pg_temp.bill('owing', 'call_2', 60);
end $$;
select is(pg_temp.problems('held') || ', ' || pg_temp.problems('owing'), 'none, none', 'all is well');

-- What is held and owed is the sum of its reasons, and whoever changes it otherwise is found out.
update wallet.organizations set reserved_pence = 999 where id = pg_temp.org('held');
select is(pg_temp.problems('held'), 'reserved_pence: 1000, not 999', 'a hold that no reservation explains is found');
update wallet.organizations set reserved_pence = 1000 where id = pg_temp.org('held');
update wallet.organizations set owed_pence = 701 where id = pg_temp.org('owing');
select is(pg_temp.problems('owing'), 'owed_pence: 700, not 701', 'a debt that no call explains is found');
update wallet.organizations set owed_pence = 700 where id = pg_temp.org('owing');
update wallet.organizations set reserved_pence = 1 where id = pg_temp.org('owing');
select is(pg_temp.problems('owing'), 'reserved_pence: 0, not 1', 'a hold without any reservation is found');
update wallet.organizations set reserved_pence = 0 where id = pg_temp.org('owing');
update wallet.organizations set owed_pence = 1 where id = pg_temp.org('held');
select is(pg_temp.problems('held'), 'owed_pence: 0, not 1', 'a debt without any call is found');
update wallet.organizations set owed_pence = 0 where id = pg_temp.org('held');
update wallet.calls
set charged_pence = 400, owed_pence = 100 + 500
where org_id = pg_temp.org('owing') and call_id = 'call_1' and cost_pence = 1000;
update wallet.organizations set owed_pence = 800 where id = pg_temp.org('owing');
select isnt(pg_temp.problems('owing'), 'none', 'a call that was charged otherwise than the ledger says is found');
update wallet.calls
set charged_pence = 500, owed_pence = 500
where org_id = pg_temp.org('owing') and call_id = 'call_1';
update wallet.organizations set owed_pence = 700 where id = pg_temp.org('owing');
select is(pg_temp.problems('owing'), 'none', 'and put right it is right');

-- sync_user_credits repairs them like the balance.
update wallet.organizations
set reserved_pence = 5, owed_pence = 6
where id in (pg_temp.org('held'), pg_temp.org('owing'));
do $$
begin
    perform wallet.sync_user_credits(pg_temp.org('held'));
    perform wallet.sync_user_credits(pg_temp.org('owing'));
end $$;
select is(
    pg_temp.money('held') || ', ' || pg_temp.money('owing'), '5000 1000 0, -500 0 700', 'both can be recomputed'
);

-- The tables refuse what can't be.
select throws_ok(
    $$
        insert into wallet.credit_reservations (
            org_id, call_id, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at
        )
        values (pg_temp.org('held'), 'call_1', 5, 5, 1000, 1000, now())
    $$,
    '23505', null, 'a call has one reservation, for ever'
);
select throws_ok(
    $$update wallet.credit_reservations set status = 'released' where org_id = pg_temp.org('held')$$,
    '23514', null, 'a reservation that isn''t open says when it ended'
);
select throws_ok(
    $$update wallet.calls set owed_pence = owed_pence + 1 where org_id = pg_temp.org('owing')$$,
    '23514', null, 'a call owes what it costs and was not charged'
);

-- A tenant sees its own and no other's.
select is(
    pg_temp.outcome(
        'authenticated', jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('held')))::text,
        'select count(*) from wallet.credit_reservations'
    ),
    '2', 'a tenant sees its own reservations'
);
select is(
    pg_temp.outcome(
        'authenticated', jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('owing')))::text,
        'select count(call_id) from wallet.calls'
    ),
    '2', 'and its own calls'
);
select is(
    pg_temp.outcome(
        'authenticated', jsonb_build_object('app_metadata', jsonb_build_object('org_id', pg_temp.org('owing')))::text,
        'select provider_cost_pence from wallet.calls'
    ),
    '42501', 'but not what they cost us'
);

select pg_temp.books_are_right();

select * from finish();
rollback;
