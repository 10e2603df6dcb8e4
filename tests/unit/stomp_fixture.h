/*
 * tests/unit/stomp_fixture.h - a broker of libsockjs at /stomp of a server with two reactors, two
 * clients that may come to it by WebSocket, and the story of what its application is told.
 */
#ifndef STOMP_FIXTURE_H
#define STOMP_FIXTURE_H

#include "fakes/gateway.h"
#include "fakes/raw_client.h"
#include "sockjs.h"

extern struct gateway gateway;
extern struct sockjs_broker *broker;
extern struct raw_client a, b;
extern char story[4096];

/* Adds to the story; from any thread. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Waits until the story is this, and forgets it. */
void hear(const char *text);
/* Waits until it has this, and forgets all of it. */
void hear_of(const char *text);

/* A server and a broker with "stomp.access": "open"; options are pairs, "key", "value", ..., NULL.
 */
void prepare(const char *const *broker_options);
/* Both run, at /stomp. */
void run(const char *const *endpoint_options);
/* All of it; the story is the hooks' argument. */
void start_with_hooks(const struct sockjs_broker_hooks *hooks);
void teardown(void);

/* Sends a message; '@' stands for NUL. */
void say(struct raw_client *c, const char *text);
/* The next message is one frame, and begins so. */
void expect_frame(struct raw_client *c, const char *beginning);
/* Sends a CONNECT for 1.2 with more headers. */
void come(struct raw_client *c, const char *headers);
/* And is welcome. */
void come_in(struct raw_client *c, const char *headers);
void subscribe(struct raw_client *c, const char *id, const char *destination);
/* Publishes from this thread. */
int publish(const char *destination, const char *body);

#endif
