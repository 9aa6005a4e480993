-- The roles stay: other databases of the cluster, or Supabase itself, may own things through them.
drop schema wallet cascade;

alter default privileges for role wallet_owner grant execute on functions to public;
