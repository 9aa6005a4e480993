begin;
select plan(14);
\ir ../support.sql

select is(
    wallet.is_topup_open(
        jsonb_populate_record(
            null::wallet.topups,
            jsonb_build_object('status', status, 'stripe_request', '{}', 'created_at', now() - age) || changes::jsonb
            || case when ends is null then '{}' else jsonb_build_object('expires_at', now() + ends) end
        )
    ),
    expected,
    what
)
from (
    values
    ('pending', interval '0', '{}', null::interval, true, 'one that is new'),
    ('pending', '9 minutes', '{}', null, true, 'one that has waited for its session a little'),
    ('pending', '11 minutes', '{}', null, false, 'not one that has waited for long'),
    ('failed', '0', '{}', null, true, 'one whose card was declined'),
    ('pending', '20 hours', '{"checkout_url": "https://a"}', '4 hours', true, 'one whose page is open'),
    ('failed', '20 hours', '{"checkout_url": "https://a"}', '4 hours', true, 'even after a declined card'),
    ('pending', '25 hours', '{"checkout_url": "https://a"}', '-1 second', false, 'not one whose page has closed'),
    ('pending', '0', '{"stripe_checkout_session_id": "cs_1"}', null, false, 'nor one that has had its page'),
    ('pending', '0', '{"stripe_payment_intent_id": "pi_1"}', null, false, 'nor one that is being paid without one'),
    ('pending', '0', '{"stripe_request": null}', null, false, 'nor one that we didn''t ask for'),
    ('paid', '0', '{"checkout_url": "https://a"}', '4 hours', false, 'nor one that is paid'),
    ('expired', '0', '{"checkout_url": "https://a"}', '4 hours', false, 'nor one that has expired'),
    ('canceled', '0', '{}', null, false, 'nor one that was canceled'),
    (
        'pending', '0', '{"stripe_payment_intent_id": "pi_1", "checkout_url": "https://a"}', '4 hours', true,
        'one that is being paid on its page is'
    )
) as topup (status, age, changes, ends, expected, what);

select * from finish();
rollback;
