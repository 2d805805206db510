-- Reduces the privileges of service_role to those that bootstrap() grants.
REVOKE ALL ON TABLE @extschema@.@table@ FROM service_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE @extschema@.@table@ TO service_role;
