/*
 * tests/fakes/fake_dns.h - a DNS server of our own on loopback (UDP and TCP) that answers,
 * says no, keeps silent or talks rubbish, depending on the name it is asked for.
 *
 * It is served between turns of the loop: no threads.
 */
#ifndef FAKES_FAKE_DNS_H
#define FAKES_FAKE_DNS_H

#include <stdbool.h>
#include <stdint.h>

struct fake_dns {
	char address[32];
	unsigned asked, asked_by_tcp;
	bool held_back; /* what is asked stays in the socket */
	/* What app.test has, as the test likes: IPv4 or IPv6 addresses, or NULL */
	struct {
		const char *addresses[2];
		uint32_t ttl;
		bool silent;
	} app;
};

extern struct fake_dns fake_dns; /* there is one */

void fake_dns_start(void);
void fake_dns_stop(void);
/* Answers what has been asked since. */
void fake_dns_serve(void);

#endif
