create or replace function wallet.note_worker(p_worker text, p_version text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_text('p_version', p_version);

    insert into wallet.workers (worker, version) values (p_worker, p_version)
    on conflict (worker) do update set version = excluded.version, seen_at = now();

    delete from wallet.workers
    where seen_at < now() - interval '1 day';

    return jsonb_build_object('success', true, 'worker', p_worker);
end;
$$;

revoke all on function wallet.note_worker(text, text) from public;
grant execute on function wallet.note_worker(text, text) to wallet_worker, service_role;

comment on function wallet.note_worker(text, text) is
'A worker''s sign of life, expected every 10 seconds; workers that gave none for a day are forgotten. Raises WL001, WL005.';
