begin;
select plan(5);

select is(
    (select bool_and(wallet.is_later_sms_status(null, s)) from unnest(wallet.sms_statuses()) as s), true,
    'any news is later than none'
);
select is(
    (select bool_or(wallet.is_later_sms_status(s, s)) from unnest(wallet.sms_statuses()) as s), false,
    'none is later than itself'
);
select set_eq(
    $$
        select known, told
        from unnest(wallet.sms_statuses()) as known, unnest(wallet.sms_statuses()) as told
        where known not in ('accepted', 'scheduled', 'queued') and wallet.is_later_sms_status(known, told)
    $$,
    $$
        values
        ('sending', 'sent'), ('sending', 'delivered'), ('sending', 'undelivered'), ('sending', 'failed'),
        ('sending', 'canceled'), ('sending', 'read'),
        ('sent', 'delivered'), ('sent', 'undelivered'), ('sent', 'failed'), ('sent', 'canceled'), ('sent', 'read'),
        ('delivered', 'read')
    $$,
    'a message that ended has ended; only one that was delivered can still be read'
);
select results_eq(
    $$
        select known::text, count(*)
        from unnest(wallet.sms_statuses()) as known, unnest(wallet.sms_statuses()) as told
        where known in ('accepted', 'scheduled', 'queued') and wallet.is_later_sms_status(known, told)
        group by known
        order by known
    $$,
    $$values ('accepted', 9::bigint), ('queued', 7::bigint), ('scheduled', 8::bigint)$$,
    'accepted, scheduled and queued come first, in this order'
);
select is(wallet.is_later_sms_status('queued', 'scheduled'), false, 'what was queued is scheduled no more');

select * from finish();
rollback;
