begin;
select plan(15);

select is(wallet.entry_directions(type), directions, format('%s: %s', type, array_to_string(directions, ' or ')))
from (
    values
    ('topup', array['credit']),
    ('bonus', array['credit']),
    ('refund', array['credit']),
    ('adjustment', array['credit', 'debit']),
    ('call_deduction', array['debit']),
    ('sms_deduction', array['debit']),
    ('knowledge_base_deduction', array['debit']),
    ('phone_provisioning', array['debit']),
    ('phone_number', array['debit']),
    ('did', array['debit']),
    ('license', array['debit']),
    ('topup_reversal', array['credit', 'debit'])
) as expected (type, directions);

select is(wallet.entry_directions(type), null, format('%s is no type', coalesce(quote_literal(type), 'null')))
from unnest(array['gift', 'TOPUP', null]) as type;

select * from finish();
rollback;
