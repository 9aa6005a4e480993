begin;
select plan(23);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', -300, 500); end $$;

select pg_temp.answers(
    wallet.set_debt_limit(pg_temp.org('acme'), 800, 'ann'),
    '{"success": true, "duplicate": false, "debt_limit_pence": 800, "remaining_debt_capacity": 500}',
    'raising the limit leaves what the present debt does not use'
);
select is(
    (select debt_limit_pence::bigint from wallet.organizations where id = pg_temp.org('acme')), 800::bigint,
    'the organization''s row shows it'
);
select pg_temp.answers(
    to_jsonb(change),
    '{"setting": "debt_limit_pence", "old_value": "500", "new_value": "800", "actor": "ann"}',
    'who changed it, from what to what, is recorded'
)
from wallet.organization_changes as change
where org_id = pg_temp.org('acme');

create temporary table before_replay as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.set_debt_limit(pg_temp.org('acme'), 800, 'ann'),
    '{"success": true, "duplicate": true, "debt_limit_pence": 800, "remaining_debt_capacity": 500}',
    'setting it again is a duplicate'
);
select is(pg_temp.everything(), state, 'that changes and records nothing') from before_replay;

-- Below the present debt.
select pg_temp.answers(
    wallet.set_debt_limit(pg_temp.org('acme'), 100, 'bob'),
    '{"success": true, "debt_limit_pence": 100, "remaining_debt_capacity": 0}',
    'the limit may be lowered below the present debt'
);
select is(pg_temp.balance(pg_temp.org('acme')), -300::bigint, 'which moves no money');
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 0, 0, 1),
    '{
        "success": false, "error": "debt_limit_exceeded", "current_balance": -300, "debt_limit": 100,
        "amount_over_limit": 201
    }',
    'and blocks further spending'
);
select pg_temp.answers(
    wallet.add_wallet_credits(pg_temp.org('acme'), 250, 'topup', 'pi_1'),
    '{"success": true, "balance_after": -50, "remaining_debt_capacity": 50}',
    'until the debt is below the limit again'
);
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 0, 0, 50),
    '{"success": true, "balance_after": -100}',
    'then the rest can be spent'
);

-- Boundaries and refusals.
select pg_temp.answers(
    wallet.set_debt_limit(pg_temp.open_wallet('in credit', 1000), 0, 'bob'),
    '{"success": true, "debt_limit_pence": 0, "remaining_debt_capacity": 0}',
    'a debt limit may be 0'
);
select pg_temp.answers(
    wallet.set_debt_limit(pg_temp.org('in credit'), 9223372036854775807, 'bob'),
    '{"debt_limit_pence": 9223372036854775807, "remaining_debt_capacity": 9223372036854775807}',
    'or the largest bigint, also of a wallet in credit'
);
select pg_temp.answers(
    wallet.set_debt_limit(pg_temp.org('nobody'), 1, 'bob'),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;

select pg_temp.raises(
    $$select wallet.set_debt_limit(null, 1, 'bob')$$, 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    $$select wallet.set_debt_limit(pg_temp.org('acme'), null, 'bob')$$, 'WL001', 'debt_limit_pence',
    'a limit is required'
);
select pg_temp.raises(
    $$select wallet.set_debt_limit(pg_temp.org('acme'), -1, 'bob')$$, 'WL002', 'debt_limit_pence',
    'a negative limit is misuse'
);
select pg_temp.raises(
    $$select wallet.set_debt_limit(pg_temp.org('acme'), 1, null)$$, 'WL001', 'actor', 'an actor is required'
);
select pg_temp.raises(
    $$select wallet.set_debt_limit(pg_temp.org('acme'), 1, ' ')$$, 'WL005', 'actor', 'a blank actor is misuse'
);
select pg_temp.raises(
    $$select wallet.set_debt_limit(pg_temp.org('acme'), 1, repeat('x', 256))$$, 'WL005', 'actor',
    'an actor of 256 characters is misuse'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

-- The record of changes.
select throws_ok(
    $$update wallet.organization_changes set actor = 'nobody'$$, 'WL008', null,
    'the record of changes can''t be rewritten'
);
select throws_ok('delete from wallet.organization_changes', 'WL008', null, 'nor shortened');

select pg_temp.books_are_right();

select * from finish();
rollback;
