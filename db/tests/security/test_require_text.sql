begin;
select plan(9);
\ir ../support.sql

select lives_ok('select wallet.require_text(''p_actor'', ''x'')', 'one character is a text');
select lives_ok('select wallet.require_text(''p_actor'', repeat(''ü'', 255))', 'so are 255');
select pg_temp.raises('select wallet.require_text(''p_actor'', null)', 'WL001', 'p_actor', 'null is missing');
select pg_temp.raises(
    format('select wallet.require_text(''p_actor'', %L)', value), 'WL005', 'p_actor', format('%L is blank', value)
)
from unnest(array['', ' ', E'\t', E' \r\n ']) as value;
select pg_temp.raises(
    'select wallet.require_text(''p_actor'', repeat(''x'', 256))', 'WL005', 'p_actor', '256 characters are too many'
);
select lives_ok('select wallet.require_text(''p_actor'', '' x '')', 'spaces around a text are part of it');

select * from finish();
rollback;
