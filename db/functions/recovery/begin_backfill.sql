-- "7 days ago" is later when the same command is given again, so an interrupted run that began up to a
-- day earlier is the same run.
create or replace function wallet.begin_backfill(
    p_since timestamptz,
    p_livemode boolean,
    p_restart boolean default false
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Stripe counts in whole seconds.
    v_since constant timestamptz := date_trunc('second', wallet.require_value('p_since', p_since));
    v_earliest constant timestamptz := now() - interval '30 days';
    v_settings wallet.stripe_settings;
    v_backfill wallet.stripe_backfills;
    v_resumed boolean := false;
begin
    perform wallet.require_value('p_livemode', p_livemode);
    perform wallet.require_value('p_restart', p_restart);
    if v_since > now() then
        perform wallet.raise_misuse('WL006', 'p_since', 'must not be in the future', p_since::text);
    end if;

    select * into strict v_settings from wallet.stripe_settings;
    if p_livemode <> v_settings.livemode then
        return wallet.refuse_other_mode(p_livemode);
    -- "30 days ago" was a moment ago.
    elsif v_since < v_earliest - interval '1 minute' then
        return wallet.refuse(
            'since_too_early',
            format('Stripe keeps events for 30 days: begin at %s or later.', date_trunc('minute', v_earliest)),
            jsonb_build_object('since', v_since, 'earliest', v_earliest)
        );
    end if;

    if not p_restart then
        update wallet.stripe_backfills
        set updated_at = now()
        where
            id = (
                select id
                from wallet.stripe_backfills
                where
                    finished_at is null
                    and since between v_since - interval '1 day' and v_since
                    and updated_at > now() - interval '1 day'
                order by compared_until desc
                limit 1
            )
        returning * into v_backfill;
        v_resumed := found;
    end if;

    if not v_resumed then
        insert into wallet.stripe_backfills (since, compared_until)
        values (v_since, v_since)
        returning * into v_backfill;
    end if;

    return jsonb_build_object(
        'success', true,
        'backfill_id', v_backfill.id,
        'resumed', v_resumed,
        'since', v_backfill.since,
        'compared_until', v_backfill.compared_until,
        'counts', v_backfill.counts,
        'account', v_settings.account
    );
end;
$$;

revoke all on function wallet.begin_backfill(timestamptz, boolean, boolean) from public;
grant execute on function wallet.begin_backfill(timestamptz, boolean, boolean) to service_role;

comment on function wallet.begin_backfill(timestamptz, boolean, boolean) is
'Begins to compare the wallets with what Stripe has since then, or goes on where a run of the last day was interrupted, unless p_restart. p_livemode is the mode of the API key. Refuses livemode_mismatch, since_too_early; raises WL001, WL006.';
