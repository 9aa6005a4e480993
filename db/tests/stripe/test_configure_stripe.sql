begin;
select plan(11);
\ir ../support.sql

select pg_temp.answers(
    to_jsonb(s), '{"livemode": false, "account": null}', 'at first test events of our own account count'
)
from wallet.stripe_settings as s;
select pg_temp.answers(
    wallet.configure_stripe(true, 'ann'), '{"success": true, "livemode": true, "account": null}',
    'live mode can be turned on'
);
select pg_temp.answers(
    wallet.configure_stripe(false, 'bob', 'acct_1'), '{"success": true, "livemode": false, "account": "acct_1"}',
    'and a connected account be named'
);
select pg_temp.answers(
    to_jsonb(s), '{"livemode": false, "account": "acct_1", "updated_by": "bob"}', 'the settings say who set them'
)
from wallet.stripe_settings as s;
select is((select count(*) from wallet.stripe_settings), 1::bigint, 'there is one set of them');

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises('select wallet.configure_stripe(null, ''ann'')', 'WL001', 'livemode', 'a mode is required');
select pg_temp.raises('select wallet.configure_stripe(true, null)', 'WL001', 'actor', 'an actor is required');
select pg_temp.raises('select wallet.configure_stripe(true, '' '')', 'WL005', 'actor', 'a blank actor is misuse');
select pg_temp.raises(
    'select wallet.configure_stripe(true, ''ann'', ''1'')', 'WL006', 'account', 'an account is acct_…'
);
select pg_temp.raises(
    'select wallet.configure_stripe(true, ''ann'', '''')', 'WL006', 'account', 'an empty one is none'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select * from finish();
rollback;
