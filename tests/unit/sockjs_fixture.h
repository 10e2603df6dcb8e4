/*
 * tests/unit/sockjs_fixture.h - an application that tells what it is told, a server in a
 * thread that has it at /app, and clients that write octets; for the tests of sockjs.h.
 */
#ifndef TESTS_SOCKJS_FIXTURE_H
#define TESTS_SOCKJS_FIXTURE_H

#include <check.h>

#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

/* --- the story: what the application was told, in order --------------------------- */

void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Waits until the story goes on with `text`; it must not go on with anything else. */
void hear(const char *text);
void hear_nothing_more(void);
unsigned count_in_story(const char *text);

/* --- the application -------------------------------------------------------------- */

/* What it does beside telling. */
struct reactions {
	int (*handshake)(struct sockjs_handshake *h);
	void (*connecting)(struct sockjs_session *s);
	void (*open)(struct sockjs_session *s);
	void (*message)(struct sockjs_session *s, const char *text, size_t n);
	void (*writable)(struct sockjs_session *s);
	void (*close)(struct sockjs_session *s);
};

extern struct reactions react;
extern const struct sockjs_callbacks telling_app;
extern char app_arg[];          /* its argument, which it checks */
extern struct sockjs_ref *last; /* of the session that opened, or began to connect, last */

/* --- the world -------------------------------------------------------------------- */

extern struct gateway gateway;
extern struct raw_client a, b;
extern const char *const one_thread[]; /* options of the server, */
extern const char *const usual[];      /* and of the endpoint */

void start(void);
void start_with(const char *const *options);

/* Sessions, open: a raw WebSocket; by a poll (the connection serves on); a stream. */
void open_raw(struct raw_client *c);
void open_poll(struct raw_client *c, const char *id);
void open_stream(struct raw_client *c, const char *id);

void say(struct sockjs_session *s, const char *text);
/* Runs fn(session of `last`, arg) in its reactor and waits for it. */
void in_reactor(void (*fn)(struct sockjs_session *s, void *arg), void *arg);

/* A program of tests; `add` names them. Returns its exit status. */
int sockjs_tests_run(const char *name, void (*add)(TCase *tc));

#endif
