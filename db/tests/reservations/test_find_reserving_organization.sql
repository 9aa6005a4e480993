begin;
select plan(5);
\ir ../support.sql
\ir reservations.sql

do $$
begin
    perform pg_temp.open_caller('acme', 5000);
    perform pg_temp.open_caller('other', 5000);
    perform pg_temp.reserve('acme', 'alone');
    perform pg_temp.reserve('acme', 'shared');
    perform pg_temp.reserve('other', 'shared');
end $$;
select is(
    wallet.find_reserving_organization('alone', null), pg_temp.org('acme'), 'the one that has reserved is found'
);
select is(wallet.find_reserving_organization('unknown', null), null, 'nobody is found where nobody has');
select is(
    wallet.find_reserving_organization('shared', pg_temp.org('other')), pg_temp.org('other'),
    'the one that is named is taken'
);
select is(
    wallet.find_reserving_organization('alone', pg_temp.org('other')), pg_temp.org('other'),
    'even where it has not reserved'
);
select pg_temp.raises(
    $$select wallet.find_reserving_organization('shared', null)$$, 'WL001', 'p_org_id', 'of two nobody is guessed'
);

select * from finish();
rollback;
