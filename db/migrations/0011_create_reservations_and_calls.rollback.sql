create or replace view wallet.ledger_totals
with (security_invoker = true)
as
select
    org_id,
    count(*) as entry_count,
    max(entry_number) as last_entry_number,
    sum(case direction when 'credit' then amount_pence else -amount_pence end)::bigint as balance_pence,
    coalesce(sum(amount_pence) filter (where type = 'topup'), 0)::bigint as total_topped_up_pence,
    coalesce(
        sum(amount_pence) filter (
            where direction = 'debit' and type not in ('adjustment', 'topup_reversal')
        ), 0
    )::bigint as total_spent_pence,
    coalesce(sum(gross_profit_pence), 0)::bigint as total_profit_pence,
    count(*) filter (where type = 'call_deduction') as total_calls
from wallet.credit_transactions
group by org_id;
update wallet.organizations as o
set total_calls = t.total_calls
from wallet.ledger_totals as t
where t.org_id = o.id and t.total_calls <> o.total_calls;
update wallet.organizations
set reserved_pence = 0
where reserved_pence <> 0;
comment on column wallet.organizations.total_calls is 'Number of call_deduction entries.';
delete from wallet.outbox_messages
where topic = 'call_unbilled';
alter domain wallet.message_topic drop constraint message_topic_check;
alter domain wallet.message_topic add constraint message_topic_check check (
    value in (
        'low_balance', 'topup_completed', 'payment_failed', 'payment_reversed', 'event_failed', 'wallet_frozen',
        'recharge_failed', 'recharge_needs_action', 'recharge_unresolved', 'auto_recharge_disabled', 'reliability_low'
    )
);
drop type wallet.call_report, wallet.requested_charge cascade;
drop table wallet.call_settings, wallet.unbilled_calls, wallet.calls, wallet.credit_reservations cascade;
drop domain wallet.reservation_status;
alter table wallet.organizations drop column owed_pence, drop column has_calls;
