/*
 * tests/unit/http_takers.h - applications that take their connections out of the HTTP
 * server: for a poll, for a stream, by an upgrade.
 */
#ifndef TESTS_HTTP_TAKERS_H
#define TESTS_HTTP_TAKERS_H

#include "http/http_detach.h"
#include "http/http_upgrade.h"

enum { TAKEN_MAX = 4, EARLY_MAX = 65536 };

/* --- detached --------------------------------------------------------------------- */

extern struct taken {
	struct addr peer;
	bool keep_alive;
} taken[TAKEN_MAX];
extern struct stream streams[TAKEN_MAX]; /* of those, watched for the client's end */
extern unsigned detached_n, hangups;
extern int detach_err; /* of the last attempt */

void detach_setup(void);
void detach_teardown(void);

/* For `serving`. */
void detach_stream(struct http_request *r);
/* Only /poll; anything else is answered with "other". */
void detach_poll(struct http_request *r);

void write_text(unsigned i, const char *text);
/* Answers a poll as its owner would. */
void answer_poll(unsigned i, const char *body);

/* --- upgraded --------------------------------------------------------------------- */

#define UPGRADE "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"

extern struct stream upgraded;
extern char early[EARLY_MAX]; /* what came behind the request */
extern unsigned upgrades;

void upgrade_setup(void);
void upgrade_teardown(void);
void upgrade(struct http_request *r); /* for `serving` */

#endif
