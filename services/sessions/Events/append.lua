-- Appends an event.
-- KEYS  1 events {org}:event-log
-- ARGV  1 event
-- Returns 1.
append_event(KEYS[1], ARGV[1])
return 1
