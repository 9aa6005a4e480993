-- The domain entry_kind is the rule; this is what functions read to say it in words before anything is
-- locked. A test compares the two for every type and direction.
create or replace function wallet.entry_directions(p_type text)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_type in ('topup', 'bonus', 'refund') then array['credit']
        when p_type in (
            'call_deduction', 'sms_deduction', 'knowledge_base_deduction',
            'phone_provisioning', 'phone_number', 'did', 'license'
        ) then array['debit']
        when p_type in ('adjustment', 'topup_reversal') then array['credit', 'debit']
    end
$$;

revoke all on function wallet.entry_directions(text) from public;
grant execute on function wallet.entry_directions(text) to service_role, authenticated;

comment on function wallet.entry_directions(text) is
'Which way an entry of this type may go: credit, debit or both; null for an unknown type.';
