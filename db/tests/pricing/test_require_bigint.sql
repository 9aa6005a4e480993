begin;
select plan(3);
\ir ../support.sql

select is(
    wallet.require_bigint('p_quantity', 9223372036854775807, 5), 9223372036854775807, 'the largest bigint is answered'
);
select pg_temp.raises(
    'select wallet.require_bigint(''p_quantity'', 9223372036854775808, 5)', 'WL009', 'p_quantity',
    'one more is misuse'
);
select throws_like(
    'select wallet.require_bigint(''p_quantity'', ''infinity'', 5)', 'p_quantity: %', 'and so is infinity'
);

select * from finish();
rollback;
