/*
 * doctor/sight.h - what the server saw of the request that opened a session, as JSON.
 *
 * Proxies add headers, and take some away: a client that is told what came can compare it with what
 * it has sent. Values are told only of headers that are known to hold no secrets, for a page that
 * may open a session may not for that read what its browser keeps from it (Cookie), or what a proxy has added for
 * the server alone.
 */
#ifndef DOCTOR_SIGHT_H
#define DOCTOR_SIGHT_H

#include <stddef.h>

#include "net/addr.h"
#include "sockjs.h"

/* The members of one object, without its braces: `"transport":"xhr",...`. NULL when memory is out;
 * the caller frees it. */
char *sight_take(const struct sockjs_handshake *h);

/* The header User-Agent, as text; "" if there is none. */
void sight_agent(const struct sockjs_handshake *h, char *text, size_t size);

/* The block of an address, "203.0.113.0/24", "2001:db8::/48"; as it is if it is none ("unix"). */
const char *sight_network(const char *address, char text[ADDR_TEXT_MAX]);

#endif
