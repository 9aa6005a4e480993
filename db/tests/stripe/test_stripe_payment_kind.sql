begin;
select plan(5);

select is(
    wallet.stripe_payment_kind(object::jsonb), kind, format('%s is %s', object, coalesce(kind, 'no wallet payment'))
)
from (
    values
    ('{"metadata": {"type": "wallet_topup"}}', 'wallet_topup'),
    ('{"metadata": {"type": "wallet_auto_recharge"}}', 'wallet_auto_recharge'),
    ('{"metadata": {"type": "subscription"}}', null),
    ('{"metadata": null}', null),
    ('{}', null)
) as told (object, kind);

select * from finish();
rollback;
