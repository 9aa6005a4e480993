begin;
select plan(9);
\ir ../support.sql

do $$ begin perform pg_temp.open_wallet('acme', 1000); perform pg_temp.open_wallet('globex'); end $$;

create temporary table first as
select wallet.open_freeze(pg_temp.org('acme'), 'dispute', 'Dispute du_1', 'stripe', 'du_1') as id;
select pg_temp.answers(
    to_jsonb(f),
    jsonb_build_object(
        'org_id', pg_temp.org('acme'), 'id', first.id, 'cause', 'dispute', 'stripe_id', 'du_1',
        'reason', 'Dispute du_1', 'frozen_by', 'stripe', 'lifted_at', null
    ),
    'a freeze says why and who'
)
from first, wallet.wallet_freezes as f;
select is(
    (select payload from wallet.outbox_messages where topic = 'wallet_frozen'),
    jsonb_build_object(
        'message', 'The wallet is frozen: Dispute du_1.', 'freeze_id', id, 'cause', 'dispute', 'stripe_id', 'du_1'
    ),
    'and is told to the outbox'
)
from first;
select is(
    wallet.open_freeze(pg_temp.org('acme'), 'dispute', 'Dispute du_1', 'stripe', 'du_1'), null,
    'the same dispute freezes once'
);
select is((select count(*) from wallet.outbox_messages), 1::bigint, 'and is told once');
do $$ begin perform wallet.unfreeze_wallet(pg_temp.org('acme'), 'Looked at', 'ann'); end $$;
select is(
    wallet.open_freeze(pg_temp.org('acme'), 'dispute', 'Dispute du_1', 'stripe', 'du_1'), null,
    'also where a person has lifted its freeze'
);
select isnt(
    wallet.open_freeze(pg_temp.org('globex'), 'dispute', 'Dispute du_1', 'stripe', 'du_1'), null,
    'each wallet is frozen by itself'
);
select isnt(
    wallet.open_freeze(pg_temp.org('acme'), 'operator', 'Again', 'ann'), null, 'a person may freeze any number of times'
);
select throws_ok(
    format('select wallet.open_freeze(%L, ''mood'', ''x'', ''x'')', pg_temp.org('acme')), '23514', null,
    'a cause is one of those that freeze_rules knows'
);
select is(
    pg_temp.balance(pg_temp.org('acme')), 1000::bigint, 'a freeze moves no money'
);

select * from finish();
rollback;
