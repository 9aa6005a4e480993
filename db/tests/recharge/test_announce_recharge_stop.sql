begin;
select plan(3);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

do $$
begin
    perform pg_temp.rechargeable('acme');
    perform pg_temp.open_wallet('globex');
    perform wallet.announce_recharge_stop(pg_temp.org('acme'), 'its card was removed');
    perform wallet.announce_recharge_stop(pg_temp.org('globex'), 'its card was removed');
end $$;

select is(
    payload ->> 'message', 'Automatic recharge stops until there is a new card: its card was removed.',
    'who recharges automatically is told why that ends'
)
from wallet.outbox_messages
where org_id = pg_temp.org('acme') and topic = 'auto_recharge_disabled';
select is(pg_temp.messages('acme', 'auto_recharge_disabled'), 1::bigint, 'once');
select is(pg_temp.messages('globex', 'auto_recharge_disabled'), 0::bigint, 'who doesn''t is not');

select * from finish();
rollback;
