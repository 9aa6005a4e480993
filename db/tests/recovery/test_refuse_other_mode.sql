begin;
select plan(4);
\ir ../support.sql

select pg_temp.answers(
    wallet.refuse_other_mode(livemode),
    jsonb_build_object('success', false, 'error', 'livemode_mismatch', 'livemode', livemode),
    format('livemode %s is refused', livemode)
)
from unnest(array[true, false]) as livemode;
select alike(
    wallet.refuse_other_mode(livemode) ->> 'message', message, format('livemode %s: says what to do', livemode)
)
from (
    values
    (true, '%STRIPE_SECRET_KEY to a test key%configure_stripe(true, %'),
    (false, '%STRIPE_SECRET_KEY to the live key%configure_stripe(false, %')
) as told (livemode, message);

select * from finish();
rollback;
