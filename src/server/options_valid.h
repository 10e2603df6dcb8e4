/*
 * server/options_valid.h - what the strings of options may look like; for the table.
 */
#ifndef SERVER_OPTIONS_VALID_H
#define SERVER_OPTIONS_VALID_H

#include <stdbool.h>

bool valid_token(const char *s);
bool valid_subprotocol(const char *s);
bool valid_cookie(const char *s);
bool valid_host_rule(const char *s);
bool valid_cidr(const char *s);
bool valid_url(const char *s);
bool valid_base_url(const char *s);
bool valid_origin(const char *s);
bool valid_auto(const char *s);
bool valid_ciphers(const char *s);
bool valid_backend(const char *s);
bool valid_upstream(const char *s);
bool valid_path(const char *s);
bool valid_statuses(const char *s);
bool valid_host(const char *s);
bool valid_peer_address(const char *s);
bool valid_one_origin(const char *s);
bool valid_forwarded(const char *s);
bool valid_parameter(const char *s);
bool valid_separator(const char *s);
bool valid_destinations(const char *s);
bool valid_relayed(const char *s);
bool valid_line(const char *s);
bool valid_server(const char *s);
bool valid_nats_server(const char *s);
bool valid_engine_prefix(const char *s);
bool valid_header_rule(const char *s);
bool valid_secret(const char *s);
bool valid_subject(const char *s);
bool valid_fingerprint(const char *s);

#endif
