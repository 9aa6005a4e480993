-- A wallet with a history: 100,000 entries, committed in small portions as real ones are.
do $$
begin
    for v_portion in 1..1000 loop
        perform wallet.deduct_call_credits(
            '00000000-0000-0000-0000-100000000001', 'history_' || v_portion || '_' || i, null, 40, 60, 64
        )
        from generate_series(1, 100) as i;
        commit;
    end loop;
end;
$$;
