begin;
select plan(37);
\ir ../support.sql
\ir ../outbox/messages.sql

-- The last check was so long ago.
create function pg_temp.later(p_interval interval) returns void
language sql
as $$
    update wallet.consistency_checks set started_at = started_at - p_interval, finished_at = finished_at - p_interval
$$;

create function pg_temp.last_check() returns wallet.consistency_checks
language sql stable
as $$ select c from wallet.consistency_checks as c order by started_at desc limit 1 $$;

-- A day later, another check: what it answers.
create function pg_temp.check_again() returns jsonb
language sql
as $$
    select pg_temp.later('1 day');
    select wallet.check_books('ann');
$$;

create function pg_temp.alerts() returns bigint
language sql stable
return (select count(*) from wallet.outbox_messages where topic = 'books_out_of_order');

create function pg_temp.forge(p_name text, p_balance_pence bigint) returns void
language sql
as $$ update wallet.organizations set wallet_balance_pence = p_balance_pence where id = pg_temp.org(p_name) $$;

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform pg_temp.open_wallet('globex', 500);
end $$;

-- When.
select is(
    wallet.check_books('ann'), '{"success": true, "checked": true, "wallets": 2, "problems": 0, "alerted": false}',
    'the first worker that asks checks the books'
);
select is(
    to_jsonb(pg_temp.last_check()) - array['started_at', 'finished_at'],
    '{"worker": "ann", "wallets": 2, "problems": 0, "first_problems": [], "alerted": false}',
    'and what it found is kept'
);
select ok(
    (c).started_at >= now() and (c).finished_at > (c).started_at and (c).finished_at <= clock_timestamp(),
    'with the time that it took'
)
from pg_temp.last_check() as c;
select is(
    wallet.check_books('bob'),
    jsonb_build_object(
        'success', true, 'checked', false, 'reason', 'not_due',
        'due_at', (pg_temp.last_check()).started_at + interval '1 day'
    ),
    'then it is not due'
);
select is((select count(*) from wallet.consistency_checks), 1::bigint, 'and nothing is kept');
do $$ begin perform pg_temp.later('23 hours 59 minutes 59 seconds'); end $$;
select pg_temp.answers(wallet.check_books('bob'), '{"checked": false, "reason": "not_due"}', 'for a day');
do $$ begin perform pg_temp.later('1 second'); end $$;
select pg_temp.answers(wallet.check_books('bob'), '{"checked": true, "problems": 0}', 'until the next one');
select is((pg_temp.last_check()).worker::text, 'bob', 'which another worker may make');
select is(pg_temp.alerts(), 0::bigint, 'books in order are no news');

-- What it finds.
do $$ begin perform pg_temp.forge('acme', 900); end $$;
select is(
    pg_temp.check_again(), '{"success": true, "checked": true, "wallets": 2, "problems": 1, "alerted": true}',
    'a problem is found'
);
select is(
    (pg_temp.last_check()).first_problems,
    jsonb_build_array(
        jsonb_build_object(
            'org_id', pg_temp.org('acme'), 'problem', 'wallet_balance_pence', 'expected', '1000', 'actual', '900',
            'difference', -100
        )
    ),
    'and kept as it was found'
);
select ok((pg_temp.last_check()).alerted, 'with the note that it was told');
select is(
    (
        select payload from wallet.outbox_messages
        where topic = 'books_out_of_order' and org_id is null
    ),
    jsonb_build_object(
        'message', format(
            'The books are not in order: 1 problem was found. The first: wallet_balance_pence of organization %s'
            ' should be 1000 and is 900.', pg_temp.org('acme')
        ),
        'wallets', 2, 'problems', 1, 'first_problem', (pg_temp.last_check()).first_problems -> 0
    ),
    'people are told, with the numbers'
);
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 1, "alerted": false}', 'the same problem is not told again the next day'
);
select ok(not (pg_temp.last_check()).alerted, 'nor noted as told');
do $$ begin perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call', 'v', 1, 1, 10); end $$;
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 1, "alerted": false}', 'a wallet in use has the same problem'
);
select is(
    (pg_temp.last_check()).first_problems #> '{0,actual}', '"890"', 'with other figures'
);
select is(pg_temp.alerts(), 1::bigint, 'all of that is one message');
do $$ begin perform pg_temp.forge('acme', 891); end $$;
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 1, "alerted": true}', 'another difference is another problem'
);
do $$ begin perform pg_temp.forge('globex', 501); end $$;
select pg_temp.answers(pg_temp.check_again(), '{"problems": 2, "alerted": true}', 'so is one of another wallet');
select alike(
    (select payload ->> 'message' from wallet.outbox_messages where payload @> '{"problems": 2}'),
    'The books are not in order: 2 problems were found. The first: %', 'they are counted'
);
do $$ begin perform pg_temp.forge('acme', 990); end $$;
select pg_temp.answers(pg_temp.check_again(), '{"problems": 1, "alerted": false}', 'one less is no news');
do $$ begin perform pg_temp.forge('acme', 891); end $$;
select pg_temp.answers(pg_temp.check_again(), '{"problems": 2, "alerted": true}', 'one that comes back is');

do $$
begin
    perform pg_temp.forge('acme', 990);
    perform pg_temp.forge('globex', 500);
    perform pg_temp.forge('acme', 991);
    perform pg_temp.check_again();
    perform pg_temp.forge('acme', 990);
    perform pg_temp.forge('globex', 501);
end $$;
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 1, "alerted": true}',
    'the same difference in another wallet is another problem'
);
do $$ begin perform pg_temp.forge('globex', 500); end $$;
update wallet.organizations set total_spent_pence = total_spent_pence + 1 where id = pg_temp.org('globex');
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 1, "alerted": true}', 'and so is the same difference of another figure'
);

-- One that isn't about numbers alone.
insert into wallet.topups (org_id, kind, status, amount_pence, currency, stripe_payment_intent_id, idempotency_key)
values (pg_temp.org('acme'), 'wallet_topup', 'paid', 600, 'gbp', 'pi_1', 'opening balance');
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 2, "alerted": true}', 'a text and a number have no difference'
);
update wallet.topups set status = 'failed';
update wallet.organizations set has_calls = not has_calls where id = pg_temp.org('globex');
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 2, "alerted": true}', 'what is no number is compared as it is'
);
select pg_temp.answers(pg_temp.check_again(), '{"problems": 2, "alerted": false}', 'and not told again');

-- Very many.
do $$
begin
    perform pg_temp.open_wallet('wallet ' || n) from generate_series(1, 120) as n;
    update wallet.organizations set wallet_balance_pence = 7 where last_entry_number = 0;
end $$;
select pg_temp.answers(
    pg_temp.check_again(), '{"wallets": 122, "problems": 122, "alerted": true}',
    'however many there are, all are counted'
);
select is(jsonb_array_length((pg_temp.last_check()).first_problems), 100, 'a hundred are kept');
select pg_temp.answers(pg_temp.check_again(), '{"problems": 122, "alerted": false}', 'and recognised');
update wallet.organizations set total_spent_pence = total_spent_pence + 1
where id = (select id from wallet.organizations order by id desc limit 1);
select pg_temp.answers(
    pg_temp.check_again(), '{"problems": 123, "alerted": true}', 'one more is told even if it isn''t among them'
);

-- Old ones go.
insert into wallet.consistency_checks (started_at, finished_at, worker, wallets, problems)
select now() - n * interval '61 minutes', now(), 'old', 1, 0 from generate_series(1000, 1500) as n;
do $$ begin perform pg_temp.check_again(); end $$;
select is((select count(*) from wallet.consistency_checks), 400::bigint, 'the last 400 are kept');
select is((pg_temp.last_check()).worker::text, 'ann', 'the newest among them');

select pg_temp.raises('select wallet.check_books(null)', 'WL001', 'p_worker', 'a worker is required');
select pg_temp.raises('select wallet.check_books('' '')', 'WL005', 'p_worker', 'by its name');
select is(
    (
        select array_agg(role order by role)
        from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
        where has_function_privilege(role, 'wallet.check_books(text)', 'execute')
    ),
    array['service_role', 'wallet_worker'],
    'a worker and an operator may ask for it'
);

select * from finish();
rollback;
