begin;
select plan(5);
\ir ../support.sql

-- A wallet whose card is this one, and blocked where it is said to be; what is left after another is used.
create function pg_temp.used(p_present text, p_blocked text, p_new text) returns text
language plpgsql
as $$
declare
    v_name constant text := concat_ws(' ', p_present, 'blocked', p_blocked, 'new', p_new);
begin
    perform pg_temp.open_wallet(v_name);
    update wallet.organizations set stripe_default_pm_id = p_present where id = pg_temp.org(v_name);
    insert into wallet.recharge_settings (org_id, declines, blocked_payment_method_id, blocked_because)
    values (pg_temp.org(v_name), 2, p_blocked, case when p_blocked is not null then 'it was declined' end);

    perform wallet.use_payment_method(pg_temp.org(v_name), p_new);

    return (
        select format(
            'charges %s, blocked %s, declines %s',
            o.stripe_default_pm_id, coalesce(s.blocked_payment_method_id, 'none'), s.declines
        )
        from wallet.organizations as o
        inner join wallet.recharge_settings as s on s.org_id = o.id
        where o.id = pg_temp.org(v_name)
    );
end;
$$;

select is(
    pg_temp.used(present, blocked, new), result,
    format(
        'card %s, blocked %s, then %s: %s', coalesce(present, 'none'), coalesce(blocked, 'none'), new, result
    )
)
from (
    values
    (null, null, 'pm_1', 'charges pm_1, blocked none, declines 2'),
    ('pm_1', null, 'pm_2', 'charges pm_1, blocked none, declines 2'),
    ('pm_1', 'pm_1', 'pm_2', 'charges pm_2, blocked none, declines 0'),
    ('pm_1', 'pm_1', 'pm_1', 'charges pm_1, blocked pm_1, declines 2'),
    (null, 'pm_1', 'pm_2', 'charges pm_2, blocked none, declines 0')
) as used (present, blocked, new, result);

select * from finish();
rollback;
